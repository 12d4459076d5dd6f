"""BEiT of transformers 4.57.6: PyTorch against Flax, with the weights that transformers converts."""

from hugging_face import IMAGES, port_to
from hugging_face import images as inputs
from transformers import BeitConfig, BeitModel, FlaxBeitModel


def original():
    config = BeitConfig(**IMAGES, use_relative_position_bias=True, layer_scale_init_value=0.1)
    return BeitModel(config)


port = port_to(FlaxBeitModel)
