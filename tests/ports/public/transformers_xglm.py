"""XGLM of transformers 4.57.6: PyTorch against Flax, with the weights that transformers converts."""

from hugging_face import port_to
from hugging_face import tokens as inputs
from transformers import FlaxXGLMForCausalLM, XGLMConfig, XGLMForCausalLM


def original():
    config = XGLMConfig(
        vocab_size=50,
        d_model=16,
        num_layers=2,
        attention_heads=2,
        ffn_dim=32,
        max_position_embeddings=20,
    )
    return XGLMForCausalLM(config)


port = port_to(FlaxXGLMForCausalLM)
