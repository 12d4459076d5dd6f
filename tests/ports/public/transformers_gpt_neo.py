"""GPT-Neo of transformers 4.57.6: PyTorch against Flax, with the weights that transformers converts."""

from hugging_face import port_to
from hugging_face import tokens as inputs
from transformers import FlaxGPTNeoForCausalLM, GPTNeoConfig, GPTNeoForCausalLM


def original():
    config = GPTNeoConfig(
        vocab_size=50,
        max_position_embeddings=20,
        hidden_size=16,
        num_layers=2,
        num_heads=2,
        attention_types=[[["global", "local"], 1]],
        window_size=4,
        bos_token_id=0,
        eos_token_id=1,
    )
    return GPTNeoForCausalLM(config)


port = port_to(FlaxGPTNeoForCausalLM)
