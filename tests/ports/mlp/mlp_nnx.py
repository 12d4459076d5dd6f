"""The MLP in flax.nnx."""

import jax
import jax.numpy as jnp
from flax import nnx
from mlp import batch as inputs
from mlp import original_net as original


class BatchNorm(nnx.BatchNorm):
    """nnx.BatchNorm, with the unbiased running variance of PyTorch."""

    def __call__(self, x):
        if self.use_running_average:
            return super().__call__(x)
        before = self.momentum * self.var[...]
        y = super().__call__(x)
        n = x.size // x.shape[-1]
        self.var[...] = before + (self.var[...] - before) * n / (n - 1)
        return y


class Net(nnx.Module):
    def __init__(self, features, hidden, rngs):
        self.fc1 = nnx.Linear(features, hidden, rngs=rngs)
        self.bn1 = BatchNorm(hidden, momentum=0.9, epsilon=1e-5, use_fast_variance=False, rngs=rngs)
        self.fc2 = nnx.Linear(hidden, hidden, rngs=rngs)
        self.bn2 = BatchNorm(hidden, momentum=0.9, epsilon=1e-5, use_fast_variance=False, rngs=rngs)
        self.drop = nnx.Dropout(0.2, rngs=rngs)
        self.head = nnx.Linear(hidden, features, rngs=rngs)

    def __call__(self, x):
        x = jax.nn.gelu(self.bn1(self.fc1(x)), approximate=False)
        y = self.bn2(self.fc2(x))
        x = x + self.drop(nnx.leaky_relu(y, 0.1))
        return nnx.log_softmax(self.head(x), axis=-1)


def port(original):
    state = {name: jnp.asarray(value.numpy()) for name, value in original.state_dict().items()}
    net = Net(6, 10, nnx.Rngs(0))
    for name in ("fc1", "fc2", "head"):
        layer = getattr(net, name)
        layer.kernel.value = state[f"{name}.weight"].T
        layer.bias.value = state[f"{name}.bias"]
    for name in ("bn1", "bn2"):
        norm = getattr(net, name)
        norm.scale.value = state[f"{name}.weight"]
        norm.bias.value = state[f"{name}.bias"]
        norm.mean.value = state[f"{name}.running_mean"]
        norm.var.value = state[f"{name}.running_var"]
    return net
