"""BART of transformers 4.57.6: PyTorch against Flax, with the weights that transformers converts."""

from hugging_face import ENCODER_DECODER, port_to
from hugging_face import source_and_target as inputs
from transformers import BartConfig, BartModel, FlaxBartModel


def original():
    config = BartConfig(**ENCODER_DECODER)
    return BartModel(config)


port = port_to(FlaxBartModel)
