"""Mistral of transformers 4.57.6: PyTorch against Flax, with the weights that transformers converts."""

from hugging_face import port_to
from transformers import FlaxMistralForCausalLM, MistralConfig, MistralForCausalLM


def inputs(rng):
    return {"input_ids": rng.integers(3, 50, (2, 7))}


def original():
    config = MistralConfig(
        vocab_size=50,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=20,
        num_key_value_heads=1,
        sliding_window=4,
    )
    return MistralForCausalLM(config)


port = port_to(FlaxMistralForCausalLM)
