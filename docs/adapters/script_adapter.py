"""For scripts that keep data, weights and learning rate in globals."""

WIDTHS, BIASES, SAMPLES, LEARNING_RATE = (2, 4, 4, 1), False, 21, 0.1


def step(script, network, params, inputs, targets, learning_rate):
    script.X, script.Y = inputs, targets
    script.W1, script.W2, script.W3 = (weight for weight, _ in params)
    script.update()
    return script.W1, script.W2, script.W3


def loss(script, network, params, inputs, targets):
    script.X, script.Y = inputs, targets
    script.W1, script.W2, script.W3 = (weight for weight, _ in params)
    return script.update()
