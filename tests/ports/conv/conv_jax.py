"""The residual network with group normalisation in plain JAX, with lax.conv_general_dilated and lax.reduce_window."""

import jax
import jax.numpy as jnp
from conv import images as inputs
from conv import original_net_with_groups as original
from jax import lax

LAYOUT = ("NCHW", "OIHW", "NCHW")


def conv(w, x, stride=1, padding=((0, 0), (0, 0))):
    return lax.conv_general_dilated(x, w, (stride, stride), padding, dimension_numbers=LAYOUT)


def conv_transpose(p, x, stride=2):
    """As nn.ConvTranspose2d(kernel 3, stride 2, padding 1, output_padding (1, 0))."""
    w = jnp.flip(p["w"], (2, 3)).swapaxes(0, 1)
    padding = ((1, 2), (1, 1))
    y = lax.conv_general_dilated(
        x, w, (1, 1), padding, lhs_dilation=(stride, stride), dimension_numbers=LAYOUT
    )
    return y + p["b"][:, None, None]


def group_norm(p, x, groups=2, eps=1e-5):
    n, c, h, w = x.shape
    g = x.reshape(n, groups, c // groups * h * w)
    mean = g.mean(axis=2, keepdims=True)
    var = g.var(axis=2, keepdims=True)
    y = ((g - mean) / jnp.sqrt(var + eps)).reshape(x.shape)
    return y * p["scale"][:, None, None] + p["bias"][:, None, None]


def max_pool(x, size=3, stride=2, pad=1):
    padding = ((0, 0), (0, 0), (pad, pad), (pad, pad))
    return lax.reduce_window(
        x, -jnp.inf, lax.max, (1, 1, size, size), (1, 1, stride, stride), padding
    )


def avg_pool(x, size=3, stride=2, pad=1):
    padding = ((0, 0), (0, 0), (pad, pad), (pad, pad))
    total = lax.reduce_window(x, 0.0, lax.add, (1, 1, size, size), (1, 1, stride, stride), padding)
    return total / size**2


def block(p, x):
    ones = ((1, 1), (1, 1))
    y = jax.nn.relu(group_norm(p["norm1"], conv(p["conv1"], x, 2, ones)))
    y = group_norm(p["norm2"], conv(p["conv2"], y, 1, ones))
    return jax.nn.relu(y + conv(p["skip"], x, 2))


def forward(params, x):
    x = conv(params["stem"]["w"], x, 2, ((2, 2), (1, 1))) + params["stem"]["b"][:, None, None]
    x = jax.nn.relu(group_norm(params["norm"], x))
    x = max_pool(x)
    x = block(params["block"], x)
    x = conv_transpose(params["up"], x)
    x = x * jax.nn.sigmoid(x)
    x = avg_pool(x)
    return x.reshape(x.shape[0], -1) @ params["head"]["w"] + params["head"]["b"]


def port(original):
    state = {name: jnp.asarray(value.numpy()) for name, value in original.state_dict().items()}

    def norm(name):
        return {"scale": state[name + ".weight"], "bias": state[name + ".bias"]}

    params = {
        "stem": {"w": state["stem.weight"], "b": state["stem.bias"]},
        "norm": norm("norm"),
        "block": {
            "conv1": state["block.conv1.weight"],
            "norm1": norm("block.norm1"),
            "conv2": state["block.conv2.weight"],
            "norm2": norm("block.norm2"),
            "skip": state["block.skip.weight"],
        },
        "up": {"w": state["up.weight"], "b": state["up.bias"]},
        "head": {"w": state["head.weight"].T, "b": state["head.bias"]},
    }
    return forward, params
