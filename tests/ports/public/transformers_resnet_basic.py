"""ResNet with basic layers, as 18 and 34 have, of transformers 4.57.6: PyTorch against Flax, with the weights that transformers converts."""

from hugging_face import port_with_statistics_to
from transformers import FlaxResNetModel, ResNetConfig, ResNetModel


def inputs(rng):
    return {"pixel_values": rng.standard_normal((2, 3, 16, 16))}


def original():
    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
    return ResNetModel(config)


port = port_with_statistics_to(FlaxResNetModel, input_shape=(1, 16, 16, 3))
