WIDTHS = (3, 6, 5, 4, 2)


def step(homework, network, params, inputs, targets, learning_rate):
    net = homework.MLP(WIDTHS, learning_rate)
    net.W, net.B = [w for w, _ in params], [b for _, b in params]
    net.learn(inputs, targets)
    return list(zip(net.W, net.B))
