"""CLIP of transformers 4.57.6: PyTorch against Flax, with the weights that transformers converts."""

import numpy as np
from hugging_face import port_to
from transformers import CLIPConfig, CLIPModel, FlaxCLIPModel

TEXT = {
    "vocab_size": 50,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 10,
    "eos_token_id": 2,
}
VISION = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "image_size": 8,
    "patch_size": 4,
}


def inputs(rng):
    return {
        "input_ids": np.sort(rng.integers(3, 50, (2, 7))),
        "pixel_values": rng.standard_normal((2, 3, 8, 8)),
    }


def original():
    config = CLIPConfig(text_config=TEXT, vision_config=VISION, projection_dim=16)
    return CLIPModel(config)


port = port_to(FlaxCLIPModel, input_shape=((1, 1), (1, 8, 8, 3)))
