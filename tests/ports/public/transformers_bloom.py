"""BLOOM of transformers 4.57.6: PyTorch against Flax, with the weights that transformers converts."""

from hugging_face import port_to
from hugging_face import tokens as inputs
from transformers import BloomConfig, BloomForCausalLM, FlaxBloomForCausalLM


def original():
    config = BloomConfig(
        vocab_size=50, hidden_size=16, n_layer=2, n_head=2, bos_token_id=1, eos_token_id=2
    )
    return BloomForCausalLM(config)


port = port_to(FlaxBloomForCausalLM)
