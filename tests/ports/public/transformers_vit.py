"""ViT of transformers 4.57.6: PyTorch against Flax, with the weights that transformers converts."""

from hugging_face import IMAGES, port_to
from hugging_face import images as inputs
from transformers import FlaxViTModel, ViTConfig, ViTModel


def original():
    config = ViTConfig(**IMAGES)
    return ViTModel(config)


port = port_to(FlaxViTModel)
