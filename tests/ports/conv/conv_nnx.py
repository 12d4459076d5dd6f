"""The residual network in flax.nnx."""

import jax.numpy as jnp
from conv import images as inputs
from conv import original_net as original
from flax import nnx


class BatchNorm(nnx.BatchNorm):
    """nnx.BatchNorm, with the unbiased running variance of PyTorch."""

    def __call__(self, x):
        if self.use_running_average:
            return super().__call__(x)
        before = self.momentum * self.var[...]
        y = super().__call__(x)
        n = x.shape[0] * x.shape[1] * x.shape[2]
        self.var[...] = before + (self.var[...] - before) * n / (n - 1)
        return y


class Block(nnx.Module):
    def __init__(self, c_in, c_out, stride, rngs):
        self.conv1 = nnx.Conv(c_in, c_out, (3, 3), stride, padding=1, use_bias=False, rngs=rngs)
        self.norm1 = BatchNorm(c_out, momentum=0.9, rngs=rngs)
        self.conv2 = nnx.Conv(c_out, c_out, (3, 3), padding=1, use_bias=False, rngs=rngs)
        self.norm2 = BatchNorm(c_out, momentum=0.9, rngs=rngs)
        self.skip = nnx.Conv(c_in, c_out, (1, 1), stride, use_bias=False, rngs=rngs)

    def __call__(self, x):
        y = nnx.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        return nnx.relu(y + self.skip(x))


class Net(nnx.Module):
    def __init__(self, rngs):
        self.stem = nnx.Conv(2, 4, (5, 3), strides=2, padding=((2, 2), (1, 1)), rngs=rngs)
        self.norm = nnx.GroupNorm(4, num_groups=2, epsilon=1e-5, rngs=rngs)
        self.block = Block(4, 6, 2, rngs)
        self.up = nnx.ConvTranspose(
            6,
            4,
            (3, 3),
            strides=2,
            padding=((1, 2), (1, 1)),
            transpose_kernel=True,
            rngs=rngs,
        )
        self.head = nnx.Linear(16, 3, rngs=rngs)

    def __call__(self, x):
        x = jnp.moveaxis(x, 1, -1)
        x = nnx.relu(self.norm(self.stem(x)))
        x = nnx.max_pool(x, (3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))
        x = nnx.silu(self.up(self.block(x)))
        x = nnx.avg_pool(x, (3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))
        return self.head(jnp.moveaxis(x, -1, 1).reshape(len(x), -1))


def port(original):
    net = Net(nnx.Rngs(0))
    for name, value in original.state_dict().items():
        *path, leaf = name.split(".")
        if leaf == "num_batches_tracked":
            continue
        value = jnp.asarray(value.numpy())
        layer = net
        for part in path:
            layer = getattr(layer, part)
        if leaf == "bias":
            layer.bias.value = value
        elif leaf == "running_mean":
            layer.mean.value = value
        elif leaf == "running_var":
            layer.var.value = value
        elif value.ndim == 1:
            layer.scale.value = value
        elif value.ndim == 2:
            layer.kernel.value = value.T
        else:  # (out, in, h, w) to (h, w, in, out), or for the transposed one (in, out, h, w) to (h, w, out, in)
            layer.kernel.value = value.transpose(2, 3, 1, 0)
    return net
