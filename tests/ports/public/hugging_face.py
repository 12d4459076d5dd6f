"""What the pairs from transformers share: a Flax model with the weights that transformers itself converts from PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict
from transformers.modeling_flax_pytorch_utils import convert_pytorch_state_dict_to_flax

_clip = jnp.clip


def _older_clip(x: Any, a_min: Any = None, a_max: Any = None, **new: Any) -> Any:
    """Transformers 4.57 calls `jnp.clip` with names of arguments that newer versions of JAX no longer have."""
    return _clip(x, new.get("min", a_min), new.get("max", a_max))


jnp.clip = _older_clip


_LAYERS = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
}
ENCODER = {**_LAYERS, "vocab_size": 50, "max_position_embeddings": 20}
IMAGES = {**_LAYERS, "image_size": 8, "patch_size": 4}
STACKS = {
    "d_model": 16,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
}
ENCODER_DECODER = {**STACKS, "vocab_size": 50, "max_position_embeddings": 20}
"""Sizes of tiny models."""


def tokens(rng: Any) -> dict[str, Any]:
    """Return a batch of tokens; the first three are special ones, such as padding."""
    return {"input_ids": rng.integers(3, 50, (2, 7))}


def source_and_target(rng: Any) -> dict[str, Any]:
    """Return a batch of tokens for an encoder, and one for a decoder."""
    return {**tokens(rng), "decoder_input_ids": rng.integers(3, 50, (2, 5))}


def images(rng: Any) -> dict[str, Any]:
    """Return a batch of images, channels first."""
    return {"pixel_values": rng.standard_normal((2, 3, 8, 8))}


def port_to(kind: Any, **options: Any) -> Callable[[Any], tuple[Any, Any]]:
    """Return the pair's `port`: a Flax model as a function of its parameters and the inputs by name."""

    def port(original: Any) -> tuple[Any, Any]:
        flax, params = converted(kind, original, **options)

        def apply(params: Any, **inputs: Any) -> Any:
            return flax(**inputs, params=params)

        return apply, params

    return port


def port_with_statistics_to(kind: Any, **options: Any) -> Callable[[Any], tuple[Any, Any, Any]]:
    """Return the pair's `port` for a model with BatchNorm, which has running statistics and is told to train."""

    def port(original: Any) -> tuple[Any, Any, Any]:
        flax, variables = converted(kind, original, **options)

        def apply(params: Any, statistics: Any, pixel_values: Any, train: bool = False) -> Any:
            images = jnp.transpose(pixel_values, (0, 2, 3, 1))  # as the model's own __call__ does
            outputs, new = flax.module.apply(
                {"params": params, "batch_stats": statistics},
                images,
                deterministic=not train,
                mutable=["batch_stats"],
            )
            return outputs, new["batch_stats"]

        return apply, variables["params"], variables["batch_stats"]

    return port


def converted(kind: Any, original: Any, **options: Any) -> tuple[Any, Any]:
    """Return a Flax model and its variables, converted as `from_pretrained(..., from_pt=True)` does."""
    flax = kind(original.config, _do_init=False, **options)
    flax._is_initialized, flax._params = True, flax.params_shape_tree  # only shapes are asked for
    found = flatten_dict(convert_pytorch_state_dict_to_flax(original.state_dict(), flax))
    known = flatten_dict(flax.params)
    return flax, unflatten_dict({name: one for name, one in found.items() if name in known})
