"""The two, for `gradparity port`."""

from model import LENGTH, WORDS, Transformer
from ported import convert, transformer


def inputs(rng):
    return {"ids": rng.integers(0, WORDS, (3, LENGTH))}


def original():
    return Transformer()


def port(original):
    return transformer, convert(original.state_dict())
