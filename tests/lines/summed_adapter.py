WIDTHS, ACTIVATIONS = (3, 5, 2), ("tanh", "identity")


def loss_and_grads(homework, network, params, inputs, targets):
    _, energy, grads = homework.evaluate(*params[0], *params[1], inputs, targets)
    return energy, grads
