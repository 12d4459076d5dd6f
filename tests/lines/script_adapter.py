WIDTHS, BIASES = (2, 5, 4, 1), False


def step(script, network, params, inputs, targets, learning_rate):
    script.data, script.labels, script.rate = inputs, targets, learning_rate
    script.W_in, script.W_mid, script.W_out = (weight for weight, _ in params)
    script.one_epoch()
    return script.W_in, script.W_mid, script.W_out
