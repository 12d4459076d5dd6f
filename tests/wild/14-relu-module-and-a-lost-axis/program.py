"""Ten numbers in, one out; targets lie in a row (N,), outputs in a column (N, 1)."""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.low, self.high = nn.Linear(10, 20), nn.Linear(20, 1)

    def bend(self, sums):
        return torch.relu(sums)

    def forward(self, points):
        return self.high(self.bend(self.low(points)))


class Squashed(Net):
    def bend(self, sums):
        return torch.sigmoid(sums)

    def forward(self, points):
        return torch.sigmoid(super().forward(points))


def improve(net, points, labels, rate):
    mover = torch.optim.SGD(net.parameters(), lr=rate)
    mover.zero_grad()
    nn.functional.mse_loss(net(points), labels).backward()
    mover.step()
