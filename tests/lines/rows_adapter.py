BIASES = True


def forward(homework, network, params, inputs):
    return homework.forward(params, inputs)[1:]


def loss_and_grads(homework, network, params, inputs, targets):
    return homework.loss_and_grads(params, inputs, targets)
