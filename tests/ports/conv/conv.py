"""A small residual network for images of 14 × 10 pixels, in PyTorch."""

import torch
import torch.nn.functional as F
from torch import nn


def make_norm(kind, channels):
    return nn.BatchNorm2d(channels) if kind == "batch" else nn.GroupNorm(2, channels)


class Block(nn.Module):
    def __init__(self, c_in, c_out, stride, norm):
        super().__init__()
        self.conv1 = nn.Conv2d(c_in, c_out, 3, stride=stride, padding=1, bias=False)
        self.norm1 = make_norm(norm, c_out)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, padding=1, bias=False)
        self.norm2 = make_norm(norm, c_out)
        self.skip = nn.Conv2d(c_in, c_out, 1, stride=stride, bias=False)

    def forward(self, x):
        y = F.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        return F.relu(y + self.skip(x))


class Net(nn.Module):
    def __init__(self, norm="batch"):
        super().__init__()
        self.stem = nn.Conv2d(2, 4, (5, 3), stride=2, padding=(2, 1))
        self.norm = nn.GroupNorm(2, 4)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.block = Block(4, 6, 2, norm)
        self.up = nn.ConvTranspose2d(6, 4, 3, stride=2, padding=1, output_padding=(1, 0))
        self.average = nn.AvgPool2d(3, stride=2, padding=1)
        self.head = nn.Linear(4 * 2 * 2, 3)

    def forward(self, x):
        x = self.pool(F.relu(self.norm(self.stem(x))))
        x = self.block(x)
        x = F.silu(self.up(x))
        x = self.average(x)
        return self.head(x.flatten(1))


def images(rng):
    return {"x": rng.normal(size=(2, 2, 14, 10))}


def original_net():
    torch.manual_seed(0)
    return Net()


def original_net_with_groups():
    torch.manual_seed(0)
    return Net("group")
