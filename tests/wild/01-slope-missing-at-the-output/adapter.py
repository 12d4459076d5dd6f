import numpy as np

WIDTHS, BIASES = (2, 2, 1), False


def put(program, params, rate=0.5):
    net = program.TwoTwoOne(rate)
    net.low, net.high = params[0][0], params[1][0].ravel()
    return net


def forward(program, network, params, inputs):
    net = put(program, params)
    return np.array([[net.think(*row)] for row in inputs])


def step(program, network, params, inputs, targets, learning_rate):
    net = put(program, params, learning_rate)
    for row, label in zip(inputs, targets.ravel()):
        net.improve(*row, label)
    return [net.low, net.high.reshape(-1, 1)]
