"""DINOv2 of transformers 4.57.6: PyTorch against Flax, with the weights that transformers converts."""

from hugging_face import port_to
from hugging_face import images as inputs
from transformers import Dinov2Config, Dinov2Model, FlaxDinov2Model


def original():
    config = Dinov2Config(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=8, patch_size=4
    )
    return Dinov2Model(config)


port = port_to(FlaxDinov2Model)
