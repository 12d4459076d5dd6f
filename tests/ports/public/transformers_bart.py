"""BART of transformers 4.57.6: PyTorch against Flax, with the weights that transformers converts."""

from hugging_face import port_to
from transformers import BartConfig, BartModel, FlaxBartModel


def inputs(rng):
    return {
        "input_ids": rng.integers(3, 50, (2, 7)),
        "decoder_input_ids": rng.integers(3, 50, (2, 5)),
    }


def original():
    config = BartConfig(
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
    return BartModel(config)


port = port_to(FlaxBartModel)
