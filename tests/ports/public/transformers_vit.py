"""ViT of transformers 4.57.6: PyTorch against Flax, with the weights that transformers converts."""

from hugging_face import port_to
from transformers import FlaxViTModel, ViTConfig, ViTModel


def inputs(rng):
    return {"pixel_values": rng.standard_normal((2, 3, 8, 8))}


def original():
    config = ViTConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=8,
        patch_size=4,
    )
    return ViTModel(config)


port = port_to(FlaxViTModel)
