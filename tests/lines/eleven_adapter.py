WIDTHS, BIASES, LEARNING_RATE = (3, 4, 1), False, 1.0


def step(homework, network, params, inputs, targets, learning_rate):
    return homework.train(inputs, targets, *(w for w, _ in params))
