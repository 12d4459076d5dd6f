"""The residual network with group normalisation in Equinox: channels first."""

import equinox as eqx
import jax
import jax.numpy as jnp
from conv import images as inputs
from conv import original_net_with_groups as original


class Block(eqx.Module):
    conv1: eqx.nn.Conv2d
    norm1: eqx.nn.GroupNorm
    conv2: eqx.nn.Conv2d
    norm2: eqx.nn.GroupNorm
    skip: eqx.nn.Conv2d

    def __init__(self, c_in, c_out, stride, key):
        k1, k2, k3 = jax.random.split(key, 3)
        self.conv1 = eqx.nn.Conv2d(c_in, c_out, 3, stride, padding=1, use_bias=False, key=k1)
        self.norm1 = eqx.nn.GroupNorm(2, c_out, eps=1e-5)
        self.conv2 = eqx.nn.Conv2d(c_out, c_out, 3, padding=1, use_bias=False, key=k2)
        self.norm2 = eqx.nn.GroupNorm(2, c_out, eps=1e-5)
        self.skip = eqx.nn.Conv2d(c_in, c_out, 1, stride, use_bias=False, key=k3)

    def __call__(self, x):
        y = jax.nn.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        return jax.nn.relu(y + self.skip(x))


class Net(eqx.Module):
    stem: eqx.nn.Conv2d
    norm: eqx.nn.GroupNorm
    pool: eqx.nn.MaxPool2d
    block: Block
    up: eqx.nn.ConvTranspose2d
    average: eqx.nn.AvgPool2d
    head: eqx.nn.Linear

    def __init__(self, key):
        k1, k2, k3, k4 = jax.random.split(key, 4)
        self.stem = eqx.nn.Conv2d(2, 4, (5, 3), stride=2, padding=(2, 1), key=k1)
        self.norm = eqx.nn.GroupNorm(2, 4)
        self.pool = eqx.nn.MaxPool2d(3, stride=2, padding=1)
        self.block = Block(4, 6, 2, k2)
        self.up = eqx.nn.ConvTranspose2d(
            6, 4, 3, stride=2, padding=1, output_padding=(1, 0), key=k3
        )
        self.average = eqx.nn.AvgPool2d(3, stride=2, padding=1)
        self.head = eqx.nn.Linear(16, 3, key=k4)

    def single(self, x):
        x = self.pool(jax.nn.relu(self.norm(self.stem(x))))
        x = jax.nn.silu(self.up(self.block(x)))
        return self.head(self.average(x).ravel())

    def __call__(self, x):
        return jax.vmap(self.single)(x)


def port(original):
    net = Net(jax.random.key(0))
    for name, value in original.state_dict().items():
        value = jnp.asarray(value.numpy())
        if name == "up.weight":
            value = jnp.flip(value.swapaxes(0, 1), (2, 3))
        if name.endswith("bias") and name in ("stem.bias", "up.bias"):
            value = value[:, None, None]
        net = eqx.tree_at(lambda m: attribute(m, name), net, value)
    return net


def attribute(module, path):
    for part in path.split("."):
        module = getattr(module, part)
    return module
