"""GPT-2 of transformers 4.57.6: PyTorch against Flax, with the weights that transformers converts."""

from hugging_face import port_to
from hugging_face import tokens as inputs
from transformers import FlaxGPT2LMHeadModel, GPT2Config, GPT2LMHeadModel


def original():
    config = GPT2Config(
        vocab_size=50,
        n_positions=20,
        n_embd=16,
        n_layer=2,
        n_head=2,
        bos_token_id=0,
        eos_token_id=1,
    )
    return GPT2LMHeadModel(config)


port = port_to(FlaxGPT2LMHeadModel)
