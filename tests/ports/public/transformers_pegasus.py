"""Pegasus of transformers 4.57.6: PyTorch against Flax, with the weights that transformers converts."""

from hugging_face import port_to
from transformers import FlaxPegasusModel, PegasusConfig, PegasusModel


def inputs(rng):
    return {
        "input_ids": rng.integers(3, 50, (2, 7)),
        "decoder_input_ids": rng.integers(3, 50, (2, 5)),
    }


def original():
    config = PegasusConfig(
        vocab_size=50,
        d_model=16,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        max_position_embeddings=20,
    )
    return PegasusModel(config)


port = port_to(FlaxPegasusModel)
