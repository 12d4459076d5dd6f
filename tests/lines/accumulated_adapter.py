WIDTHS, BIASES = (3, 4, 2), False


def step(homework, network, params, inputs, targets, learning_rate):
    weights = [w for w, _ in params]
    homework.train(inputs, targets, *weights, learning_rate)
    return weights
