"""A port to torch, with a switch: EXACT=1 rounds as the exact variants do; without it, it is as it goes to work."""

import os

import numpy as np
import torch

from gradparity.contract import Snapshot, State, Trajectory

EXACT = os.environ.get("EXACT") == "1"


def rounded(a):
    return a.float().double() if EXACT else a


def tensor(a):
    return torch.from_numpy(a).double() if EXACT else torch.from_numpy(a)


def flat(params):
    return [tensor(a) for layer in params for a in layer if a is not None]


def like(params, tensors):
    arrays = iter([t.detach().numpy().astype(params[0][0].dtype) for t in tensors])
    return [(next(arrays), None if bias is None else next(arrays)) for _, bias in params]


def apply(network, weights, a):
    activations, weights = [], iter(weights)
    for layer in network.layers:
        # Weights and biases are rounded already; rounding them again rounds their gradients.
        z = a @ rounded(next(weights))
        z = rounded(z + rounded(next(weights)) if layer.bias else z)
        a = rounded(torch.sigmoid(z))
        activations.append(a)
    return activations


def gradients(network, weights, x, y):
    weights = [weight.requires_grad_() for weight in weights]
    errors = rounded(apply(network, weights, x)[-1] - y)
    loss = rounded(torch.mean(errors**2))
    return loss, torch.autograd.grad(loss, weights)


def forward(network, params, inputs):
    activations = apply(network, flat(params), tensor(inputs))
    return [a.numpy().astype(inputs.dtype) for a in activations]


def loss_and_grads(network, params, inputs, targets):
    loss, grads = gradients(network, flat(params), tensor(inputs), tensor(targets))
    return loss.item(), like(params, grads)


def train(network, params, inputs, targets, schedule, state=None):
    weights, x, y = flat(params), tensor(inputs), tensor(targets)
    # A constant is rounded, too.
    rate = float(np.float32(schedule.learning_rate)) if EXACT else schedule.learning_rate
    start, losses, kept = state.updates if state else 0, [], {}
    for update in range(start, schedule.updates + 1):
        if update in schedule.keep:
            kept[update] = Snapshot(like(params, weights), State(update))
        if update < schedule.updates:
            batch = schedule.batch(update)
            loss, grads = gradients(network, weights, x[batch], y[batch])
            losses.append(loss.item())
            pairs = zip(weights, grads, strict=True)
            weights = [rounded(weight.detach() - rate * grad) for weight, grad in pairs]
    final_loss, _ = gradients(network, weights, x, y)
    final = Snapshot(like(params, weights), State(schedule.updates))
    return Trajectory(np.array(losses), final_loss.item(), final, kept)
