"""Whisper of transformers 4.57.6: PyTorch against Flax, with the weights that transformers converts."""

from hugging_face import STACKS, port_to
from transformers import FlaxWhisperModel, WhisperConfig, WhisperModel


def inputs(rng):
    return {
        "input_features": rng.standard_normal((2, 8, 12)),
        "decoder_input_ids": rng.integers(3, 50, (2, 5)),
    }


def original():
    config = WhisperConfig(
        **STACKS,
        vocab_size=50,
        num_mel_bins=8,
        max_source_positions=6,
        max_target_positions=8,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
    )
    return WhisperModel(config)


port = port_to(FlaxWhisperModel, input_shape=(1, 8, 12))
