"""The MLP in Equinox, with the state of its batch normalisation beside it."""

import equinox as eqx
import jax
import jax.numpy as jnp
from mlp import batch as inputs
from mlp import original_net as original


class BatchNorm(eqx.nn.BatchNorm):
    """eqx.nn.BatchNorm, with the unbiased running variance of PyTorch."""

    def __call__(self, x, state):
        kept = self.momentum * state.get(self.batch_state_index)[1]
        y, state = super().__call__(x, state)
        if not self.inference:
            n = jax.lax.psum(1, self.axis_name)
            mean, var = state.get(self.batch_state_index)
            var = kept + (var - kept) * n / (n - 1)
            state = state.set(self.batch_state_index, (mean, var))
        return y, state


class Net(eqx.Module):
    fc1: eqx.nn.Linear
    bn1: BatchNorm
    fc2: eqx.nn.Linear
    bn2: BatchNorm
    drop: eqx.nn.Dropout
    head: eqx.nn.Linear

    def __init__(self, features, hidden, key):
        k1, k2, k3 = jax.random.split(key, 3)
        self.fc1 = eqx.nn.Linear(features, hidden, key=k1)
        self.bn1 = BatchNorm(hidden, "batch", eps=1e-5, momentum=0.9, mode="batch")
        self.fc2 = eqx.nn.Linear(hidden, hidden, key=k2)
        self.bn2 = BatchNorm(hidden, "batch", eps=1e-5, momentum=0.9, mode="batch")
        self.drop = eqx.nn.Dropout(0.2, inference=True)
        self.head = eqx.nn.Linear(hidden, features, key=k3)

    def __call__(self, x, state):
        x = self.fc1(x)
        x, state = self.bn1(x, state)
        x = jax.nn.gelu(x, approximate=False)
        y = self.fc2(x)
        y, state = self.bn2(y, state)
        x = x + self.drop(jax.nn.leaky_relu(y, 0.1))
        return jax.nn.log_softmax(self.head(x)), state


class Batched(eqx.Module):
    net: Net

    def __call__(self, x, state):
        return jax.vmap(self.net, (0, None), (0, None), axis_name="batch")(x, state)


def port(original):
    weights = {name: jnp.asarray(value.numpy()) for name, value in original.state_dict().items()}
    net, state = eqx.nn.make_with_state(Net)(6, 10, jax.random.key(0))
    for name in ("fc1", "fc2", "head"):
        net = eqx.tree_at(
            lambda net: (getattr(net, name).weight, getattr(net, name).bias),
            net,
            (weights[f"{name}.weight"], weights[f"{name}.bias"]),
        )
    for name in ("bn1", "bn2"):
        net = eqx.tree_at(
            lambda net: (getattr(net, name).weight, getattr(net, name).bias),
            net,
            (weights[f"{name}.weight"], weights[f"{name}.bias"]),
        )
        statistics = weights[f"{name}.running_mean"], weights[f"{name}.running_var"]
        state = state.set(getattr(net, name).batch_state_index, statistics)
    return Batched(net), state
