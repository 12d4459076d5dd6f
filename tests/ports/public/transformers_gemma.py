"""Gemma of transformers 4.57.6: PyTorch against Flax, with the weights that transformers converts."""

from hugging_face import ENCODER, port_to
from hugging_face import tokens as inputs
from transformers import FlaxGemmaForCausalLM, GemmaConfig, GemmaForCausalLM


def original():
    config = GemmaConfig(**ENCODER, num_key_value_heads=1, head_dim=8)
    return GemmaForCausalLM(config)


port = port_to(FlaxGemmaForCausalLM)
