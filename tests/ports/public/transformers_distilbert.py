"""DistilBERT of transformers 4.57.6: PyTorch against Flax, with the weights that transformers converts."""

from hugging_face import port_to
from hugging_face import tokens as inputs
from transformers import DistilBertConfig, DistilBertModel, FlaxDistilBertModel


def original():
    config = DistilBertConfig(
        vocab_size=50, dim=16, n_layers=2, n_heads=2, hidden_dim=32, max_position_embeddings=20
    )
    return DistilBertModel(config)


port = port_to(FlaxDistilBertModel)
