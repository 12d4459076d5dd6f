ACTIVATIONS = ("tanh", "sigmoid")


def loss_and_grads(homework, network, params, inputs, targets):
    dense = [homework.Dense(w, 0.0 if b is None else b) for w, b in params]
    layers = [one for layer in dense for one in (layer, homework.Tanh())]
    model = homework.Model([*layers[:-1], homework.Sigmoid()], homework.MeanSquaredError())
    loss = model.loss.forward(model.forward(inputs), targets)
    model.backward()
    return loss, [
        (d.d_weight, d.d_bias if b is not None else None) for d, (_, b) in zip(dense, params)
    ]
