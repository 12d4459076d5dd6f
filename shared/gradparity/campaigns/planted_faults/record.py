"""The file of the planted faults."""

from __future__ import annotations

from pydantic import Field

from ..campaign import Campaign, Record, Stored


class _Score(Stored):
    planted: int
    visible: int
    caught: int
    missed: int
    named: int
    synonym: int
    class_: int = Field(alias="class")
    unknown: int
    misnamed: int
    examples: tuple[str, ...]


class _PlantedFaults(Record):
    networks: int
    seed: int
    single: dict[str, _Score]
    pairs: dict[str, _Score]
    features: dict[str, _Score]
    random: dict[str, _Score]
    random_features: dict[str, _Score]


PLANTED_FAULTS = Campaign(
    "planted-faults", "Planted faults", 1, "gradparity planted-faults", _PlantedFaults
)
