"""For every submission with a class `NeuralNet` whose weights are w1, w2, w3."""

WIDTHS, BIASES = (2, 4, 4, 1), False


def forward(homework, network, params, inputs):
    net = homework.NeuralNet()
    net.w1, net.w2, net.w3 = (weight for weight, _ in params)
    return net.forward(inputs)


def step(homework, network, params, inputs, targets, learning_rate):
    net = homework.NeuralNet(lr=learning_rate)
    net.w1, net.w2, net.w3 = (weight for weight, _ in params)
    net.train(inputs, targets, 1)
    return [net.w1, net.w2, net.w3]
