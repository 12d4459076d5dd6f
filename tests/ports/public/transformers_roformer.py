"""RoFormer of transformers 4.57.6: PyTorch against Flax, with the weights that transformers converts."""

from hugging_face import ENCODER, port_to
from hugging_face import tokens as inputs
from transformers import FlaxRoFormerModel, RoFormerConfig, RoFormerModel


def original():
    config = RoFormerConfig(**ENCODER)
    return RoFormerModel(config)


port = port_to(FlaxRoFormerModel)
