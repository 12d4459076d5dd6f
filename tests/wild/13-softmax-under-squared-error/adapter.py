WIDTHS = (4, 6, 3)


def forward(net, network, params, inputs):
    return net.run(params, inputs)


def loss_and_grads(net, network, params, inputs, targets):
    return net.learn(params, inputs, targets)
