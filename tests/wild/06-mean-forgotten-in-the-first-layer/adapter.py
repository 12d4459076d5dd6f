WIDTHS, BIASES = (2, 3, 3, 1), False


def loss_and_grads(program, network, params, inputs, targets):
    return program.learn(*(w for w, _ in params), inputs, targets)
