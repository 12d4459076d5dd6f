"""The report's sections, in order.

Contents, jump links, both editions and the table of commands follow from this list. A new section is a file here, its
templates and an entry.
"""

from __future__ import annotations

from ...campaigns.bench.record import BENCH
from ...campaigns.bit_for_bit.record import BIT_FOR_BIT
from ...campaigns.narrow_faults.record import NARROW_FAULTS
from ...campaigns.planted_faults.record import PLANTED_FAULTS
from ...campaigns.random_networks.record import CORE, FULL
from ...campaigns.study.record import STUDY
from . import (
    bench,
    bit_for_bit,
    code,
    experiments,
    machine,
    narrow_faults,
    one_step,
    planted_faults,
    random_networks,
    study,
)
from .section import Section, text_alone

SECTIONS = (
    Section("verdict", "The verdict", text_alone),
    Section("code", "Side by side", code.show, markdown=False),
    Section("one-step", "One step, three ways", one_step.show),
    Section("experiments", "The experiments", experiments.show),
    Section("study", STUDY.title, study.show, (STUDY,)),
    Section("random-networks", "Random networks", random_networks.show, (CORE, FULL)),
    Section("planted-faults", PLANTED_FAULTS.title, planted_faults.show, (PLANTED_FAULTS,)),
    Section("narrow-faults", NARROW_FAULTS.title, narrow_faults.show, (NARROW_FAULTS,)),
    Section("bit-for-bit", BIT_FOR_BIT.title, bit_for_bit.show, (BIT_FOR_BIT,)),
    Section("bench", BENCH.title, bench.show, (BENCH,)),
    Section("how-judged", "How agreement is judged", text_alone),
    Section("machine", "What was run, and where", machine.show),
)
