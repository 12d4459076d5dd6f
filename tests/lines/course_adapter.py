WIDTHS = (3, 6, 1)


def parameters(params):
    return {
        f"{n}{k}": v
        for k, (w, b) in enumerate(params, 1)
        for n, v in (("W", w.T), ("b", b[:, None]))
    }


def forward(homework, network, params, inputs):
    A2, cache = homework.forward_propagation(inputs.T, parameters(params))
    return [cache["A1"].T, A2.T]


def loss_and_grads(homework, network, params, inputs, targets):
    A2, cache = homework.forward_propagation(inputs.T, parameters(params))
    grads = homework.backward_propagation(parameters(params), cache, inputs.T, targets.T)
    grads = [(grads[f"dW{k}"].T, grads[f"db{k}"][:, 0]) for k in (1, 2)]
    return homework.compute_cost(A2, targets.T), grads
