"""Llama of transformers 4.57.6: PyTorch against Flax, with the weights that transformers converts."""

from hugging_face import ENCODER, port_to
from hugging_face import tokens as inputs
from transformers import FlaxLlamaForCausalLM, LlamaConfig, LlamaForCausalLM


def original():
    config = LlamaConfig(**ENCODER, num_key_value_heads=1)
    return LlamaForCausalLM(config)


port = port_to(FlaxLlamaForCausalLM)
