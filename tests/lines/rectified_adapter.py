WIDTHS, ACTIVATIONS = (3, 6, 5, 1), ("relu", "sigmoid")


def loss_and_grads(homework, network, params, inputs, targets):
    cost, _, dw, db = homework.model(
        inputs, targets, [w for w, _ in params], [b for _, b in params]
    )
    return cost, list(zip(dw, db))
