WIDTHS, BIASES = (2, 4, 1), False


def loss_and_grads(program, network, params, inputs, targets):
    given = *(w for w, _ in params), inputs, targets
    return program.price(*given), program.slopes(*given)
