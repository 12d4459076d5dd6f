"""A `torch.nn.Module`: `gradparity check torch_module.py:Net` needs no adapter."""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(3, 6)
        self.output = nn.Linear(6, 2)

    def forward(self, x):
        return torch.sigmoid(self.output(torch.sigmoid(self.hidden(x))))
