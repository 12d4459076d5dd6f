"""Marian of transformers 4.57.6: PyTorch against Flax, with the weights that transformers converts."""

from hugging_face import ENCODER_DECODER, port_to
from hugging_face import source_and_target as inputs
from transformers import FlaxMarianModel, MarianConfig, MarianModel


def original():
    config = MarianConfig(**ENCODER_DECODER, pad_token_id=1)
    return MarianModel(config)


port = port_to(FlaxMarianModel)
