"""Find out what was never judged informatively: an agreement without evidence is none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..verdict.judge import Finding, Phase, Verdict

_WORDS: dict[Phase, str] = {
    "forward": "activations",
    "loss": "losses",
    "gradient": "gradients",
    "update": "updates",
}


_DEPTH = 4
"""Layers are told apart up to this number, the depth of the vetted networks, unless the network is prescribed."""


def never_shown(findings: Iterable[Finding], *, prescribed: bool) -> list[str]:
    """List, in words, every tensor of every layer that abstained wherever it was judged.

    A program of any network computes all deep layers alike: only in a `prescribed` network each must show itself.
    """
    seen: dict[tuple[Phase, int | None, str], bool] = {}
    for finding in findings:
        layer = finding.layer
        if layer is not None and not prescribed:
            layer = min(layer, _DEPTH - 1)
        key = finding.phase, layer, finding.tensor
        seen[key] = seen.get(key, False) or finding.verdict is not Verdict.ABSTAIN
    missing: dict[tuple[Phase, str], list[int]] = {}
    for (phase, layer, tensor), shown in seen.items():
        if not shown:
            missing.setdefault((phase, tensor), []).extend([] if layer is None else [layer + 1])
    return [_in_words(phase, tensor, layers) for (phase, tensor), layers in missing.items()]


def _in_words(phase: Phase, tensor: str, layers: Sequence[int]) -> str:
    what = tensor if phase in ("forward", "loss") else f"{_WORDS[phase]} of the {tensor}"
    if not layers:
        return f"the {what}"
    first, last = min(layers), max(layers)
    where = f"layer {first}" if first == last else f"layers {first} to {last}"
    return f"the {what} of {where}" if phase == "forward" else f"the {what} in {where}"
