import numpy as np

WIDTHS = (3, 5, 2)


def loss_and_grads(homework, network, params, inputs, targets):
    thetas = [np.vstack([b, w]) for w, b in params]
    J, *grads = homework.cost_and_gradient(*thetas, inputs, targets)
    return J, [(g[1:], g[0]) for g in grads]
