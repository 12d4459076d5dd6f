"""The fuzzy tiling activation with the derivative that its PyTorch version drops below the lower bound: see fta_tiling.py."""

import fta.torch
import torch
from fta_tiling import inputs, original, port

_known = fta.torch._jacobian


def _whole(z, tiling, tile_width, spillover):
    slope = _known(z, tiling, tile_width, spillover)
    below, border = z[:, None] < tiling[0], tiling[None, :, None]
    ramp = below & (border - spillover < z[:, None]) & (z[:, None] < border)
    return torch.where(ramp, torch.ones_like(slope), slope)


fta.torch._jacobian = _whole
