"""Mistral of transformers 4.57.6: PyTorch against Flax, with the weights that transformers converts."""

from hugging_face import ENCODER, port_to
from hugging_face import tokens as inputs
from transformers import FlaxMistralForCausalLM, MistralConfig, MistralForCausalLM


def original():
    config = MistralConfig(**ENCODER, num_key_value_heads=1, sliding_window=4)
    return MistralForCausalLM(config)


port = port_to(FlaxMistralForCausalLM)
