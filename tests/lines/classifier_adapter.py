WIDTHS, ACTIVATIONS, LOSS = (4, 6, 3), ("relu", "identity"), "cross_entropy"


def loss_and_grads(homework, network, params, inputs, targets):
    net = homework.TwoLayerNet()
    for k, (w, b) in enumerate(params, 1):
        net.params[f"W{k}"], net.params[f"b{k}"] = w, b
    loss, grads = net.loss(inputs, targets)
    return loss, [(grads[f"W{k}"], grads[f"b{k}"]) for k in (1, 2)]
