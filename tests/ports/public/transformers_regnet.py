"""RegNet of transformers 4.57.6: PyTorch against Flax, with the weights that transformers converts."""

from hugging_face import port_with_statistics_to
from transformers import FlaxRegNetModel, RegNetConfig, RegNetModel


def inputs(rng):
    return {"pixel_values": rng.standard_normal((2, 3, 16, 16))}


def original():
    config = RegNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], groups_width=4)
    return RegNetModel(config)


port = port_with_statistics_to(FlaxRegNetModel, input_shape=(1, 16, 16, 3))
