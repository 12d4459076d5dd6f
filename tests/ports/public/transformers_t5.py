"""T5 of transformers 4.57.6: PyTorch against Flax, with the weights that transformers converts."""

from hugging_face import port_to
from hugging_face import source_and_target as inputs
from transformers import FlaxT5Model, T5Config, T5Model


def original():
    config = T5Config(vocab_size=50, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2)
    return T5Model(config)


port = port_to(FlaxT5Model)
