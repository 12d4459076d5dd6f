"""ViT for classification: transformers 4.57.6 against jax-image-models 0.4.0 (flax.nnx), with the weights that it loads."""

import json
import tempfile
from pathlib import Path

import numpy as np
from jimm.models.vit import VisionTransformer
from safetensors.numpy import save_file
from transformers import ViTConfig, ViTForImageClassification


def inputs(rng):
    return (rng.standard_normal((2, 3, 8, 8)),)


def original():
    return ViTForImageClassification(
        ViTConfig(
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            image_size=8,
            patch_size=4,
            num_labels=3,
        )
    )


def port(original):
    state = {name: np.array(tensor) for name, tensor in original.state_dict().items()}
    with tempfile.TemporaryDirectory() as folder:
        save_file(state, Path(folder) / "model.safetensors")
        (Path(folder) / "config.json").write_text(json.dumps(original.config.to_dict()))
        return VisionTransformer.from_pretrained(folder)
