"""The residual network in flax.linen: channels last."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from conv import images as inputs
from conv import original_net as original


class BatchNorm(nn.Module):
    momentum: float = 0.9
    epsilon: float = 1e-5

    @nn.compact
    def __call__(self, x, use_running_average):
        shape = x.shape[-1:]
        ra_mean = self.variable("batch_stats", "mean", jnp.zeros, shape)
        ra_var = self.variable("batch_stats", "var", jnp.ones, shape)
        scale = self.param("scale", nn.initializers.ones, shape)
        bias = self.param("bias", nn.initializers.zeros, shape)
        mean, var = ra_mean.value, ra_var.value
        if not use_running_average:
            mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
            n = x.size / x.shape[-1]
            ra_mean.value = self.momentum * ra_mean.value + (1 - self.momentum) * mean
            ra_var.value = self.momentum * ra_var.value + (1 - self.momentum) * var * n / (n - 1)
        return (x - mean) / jnp.sqrt(var + self.epsilon) * scale + bias


class Block(nn.Module):
    channels: int
    stride: int

    @nn.compact
    def __call__(self, x, train):
        strides = (self.stride, self.stride)
        y = nn.Conv(self.channels, (3, 3), strides, padding=1, use_bias=False, name="conv1")(x)
        y = nn.relu(BatchNorm(name="norm1")(y, not train))
        y = nn.Conv(self.channels, (3, 3), padding=1, use_bias=False, name="conv2")(y)
        y = BatchNorm(name="norm2")(y, not train)
        skip = nn.Conv(self.channels, (1, 1), strides, use_bias=False, name="skip")(x)
        return nn.relu(y + skip)


class Net(nn.Module):
    @nn.compact
    def __call__(self, x, train: bool = False):
        x = jnp.transpose(x, (0, 2, 3, 1))
        x = nn.Conv(4, (5, 3), strides=(2, 2), padding=((2, 2), (1, 1)), name="stem")(x)
        x = nn.relu(nn.GroupNorm(num_groups=2, epsilon=1e-5, name="norm")(x))
        x = nn.max_pool(x, (3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))
        x = Block(6, 2, name="block")(x, train)
        x = nn.ConvTranspose(4, (3, 3), strides=(2, 2), padding=((1, 2), (1, 1)), name="up")(x)
        x = nn.silu(x)
        x = nn.avg_pool(x, (3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))
        x = jnp.transpose(x, (0, 3, 1, 2)).reshape(x.shape[0], -1)
        return nn.Dense(3, name="head")(x)


def port(original):
    state = {name: jnp.asarray(value.numpy()) for name, value in original.state_dict().items()}

    def kernel(name):
        return jnp.transpose(state[f"{name}.weight"], (2, 3, 1, 0))

    def norm(name):
        return {"scale": state[f"{name}.weight"], "bias": state[f"{name}.bias"]}

    def statistics(name):
        return {"mean": state[f"{name}.running_mean"], "var": state[f"{name}.running_var"]}

    up = jnp.transpose(state["up.weight"], (2, 3, 0, 1))[::-1, ::-1]
    params = {
        "stem": {"kernel": kernel("stem"), "bias": state["stem.bias"]},
        "norm": norm("norm"),
        "block": {
            "conv1": {"kernel": kernel("block.conv1")},
            "norm1": norm("block.norm1"),
            "conv2": {"kernel": kernel("block.conv2")},
            "norm2": norm("block.norm2"),
            "skip": {"kernel": kernel("block.skip")},
        },
        "up": {"kernel": up, "bias": state["up.bias"]},
        "head": {"kernel": state["head.weight"].T, "bias": state["head.bias"]},
    }
    stats = {"norm1": statistics("block.norm1"), "norm2": statistics("block.norm2")}
    return Net(), {"params": params, "batch_stats": {"block": stats}}
