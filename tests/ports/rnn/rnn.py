"""Sequence models in PyTorch: a tagger with a GRU, and a forecaster with an LSTM of two layers."""

import torch
from torch import nn


class Tagger(nn.Module):
    """Tags every position of a sequence of tokens."""

    def __init__(self, vocabulary=11, width=6, hidden=7, tags=4):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.gru = nn.GRU(width, hidden, batch_first=True)
        self.head = nn.Linear(hidden, tags)

    def forward(self, ids):
        h, _ = self.gru(self.embed(ids))
        return torch.log_softmax(self.head(h), dim=-1)


class Forecaster(nn.Module):
    """Forecasts the next value from the last hidden state."""

    def __init__(self, features=5, hidden=5):
        super().__init__()
        self.lstm = nn.LSTM(features, hidden, num_layers=2, batch_first=True)
        self.norm = nn.LayerNorm(hidden)
        self.head = nn.Linear(hidden, features)

    def forward(self, x):
        h, _ = self.lstm(x)
        h = self.norm(h[:, -1])
        return x[:, -1] + self.head(h)


def tokens(rng):
    return {"ids": rng.integers(0, 11, (3, 5))}


def series(rng):
    return {"x": rng.normal(size=(3, 4, 5))}


def tagger():
    torch.manual_seed(0)
    return Tagger()


def forecaster():
    torch.manual_seed(0)
    return Forecaster()
