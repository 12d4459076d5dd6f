"""RoBERTa of transformers 4.57.6: PyTorch against Flax, with the weights that transformers converts."""

from hugging_face import ENCODER, port_to
from hugging_face import tokens as inputs
from transformers import FlaxRobertaModel, RobertaConfig, RobertaModel


def original():
    config = RobertaConfig(**ENCODER)
    return RobertaModel(config)


port = port_to(FlaxRobertaModel)
