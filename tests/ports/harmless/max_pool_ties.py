"""The largest entry stands several times in a window: the image is quantised, and ReLU makes zeros."""

import flax.linen as nn
import jax.numpy as jnp
import torch


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 3, 1)
        self.head = torch.nn.Linear(3 * 3 * 2, 4)

    def forward(self, x):
        x = torch.relu(self.conv(x))
        return self.head(torch.nn.functional.max_pool2d(x, 2).flatten(1))


def inputs(rng):
    return {"x": rng.integers(-1, 2, (3, 1, 6, 4)).astype(float)}


def original():
    torch.manual_seed(0)
    return Net()


class Port(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(3, (1, 1), name="conv")(x.transpose(0, 2, 3, 1)))
        x = nn.max_pool(x, (2, 2), strides=(2, 2))
        return nn.Dense(4, name="head")(x.transpose(0, 3, 1, 2).reshape(len(x), -1))


def port(original):
    w = {name: jnp.asarray(value.numpy()) for name, value in original.state_dict().items()}
    return Port(), {
        "params": {
            "conv": {"kernel": w["conv.weight"].transpose(2, 3, 1, 0), "bias": w["conv.bias"]},
            "head": {"kernel": w["head.weight"].T, "bias": w["head.bias"]},
        }
    }
