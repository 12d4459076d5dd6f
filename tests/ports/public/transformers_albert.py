"""ALBERT of transformers 4.57.6: PyTorch against Flax, with the weights that transformers converts."""

from hugging_face import ENCODER, port_to
from hugging_face import tokens as inputs
from transformers import AlbertConfig, AlbertModel, FlaxAlbertModel


def original():
    config = AlbertConfig(**ENCODER, embedding_size=8)
    return AlbertModel(config)


port = port_to(FlaxAlbertModel)
