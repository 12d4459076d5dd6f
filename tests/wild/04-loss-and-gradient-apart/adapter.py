WIDTHS, BIASES = (2, 4, 1), False


def loss(program, network, params, inputs, targets):
    return program.price(*(w for w, _ in params), inputs, targets)


def loss_and_grads(program, network, params, inputs, targets):
    return None, program.slopes(*(w for w, _ in params), inputs, targets)
