WIDTHS, BIASES = (3, 5, 4, 2), False


def loss_and_grads(homework, network, params, inputs, targets):
    loss, *grads = homework.gradients(inputs, targets, *(w for w, _ in params))
    return loss, grads
