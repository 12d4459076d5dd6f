"""OPT of transformers 4.57.6: PyTorch against Flax, with the weights that transformers converts."""

from hugging_face import port_to
from hugging_face import tokens as inputs
from transformers import FlaxOPTForCausalLM, OPTConfig, OPTForCausalLM


def original():
    config = OPTConfig(
        vocab_size=50,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        ffn_dim=32,
        max_position_embeddings=20,
        word_embed_proj_dim=16,
    )
    return OPTForCausalLM(config)


port = port_to(FlaxOPTForCausalLM)
