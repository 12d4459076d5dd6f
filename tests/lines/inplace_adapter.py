WIDTHS, BIASES = (2, 4, 1), True


def step(homework, network, params, inputs, targets, learning_rate):
    net = homework.Net()
    (net.W1, b1), (net.W2, b2) = params
    net.b1, net.b2 = b1[None], b2[None]
    net.fit_step(inputs, targets, learning_rate)
    return [(net.W1, net.b1[0]), (net.W2, net.b2[0])]
