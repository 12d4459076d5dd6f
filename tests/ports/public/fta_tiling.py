"""The fuzzy tiling activation of fuzzy-tiling-activation 0.1.2: a torch.autograd.Function against flax.linen."""

import jax.numpy as jnp
from fta.jax import FTA as FlaxFTA
from fta.torch import FTA
from torch import nn

OPTIONS = {
    "bound": 1.0,
    "spillover_base": 0.3,
    "spillover_mode": "raw",
    "tile_width": 0.25,
    "num_tiles": None,
}


class Tiled(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(3, 4), nn.Linear(4 * 9, 2)
        self.fta = FTA(**OPTIONS)

    def forward(self, x):
        return self.second(self.fta(self.first(x)))


def inputs(rng):
    return (rng.standard_normal((6, 3)),)


def original():
    return Tiled()


def port(original):
    layer = FlaxFTA(**OPTIONS)

    def apply(w, x):
        x = layer.apply({}, x @ w["first.weight"].T + w["first.bias"])
        return x @ w["second.weight"].T + w["second.bias"]

    return apply, {name: jnp.asarray(t.numpy()) for name, t in original.state_dict().items()}
