"""Judge what was observed of a target under the convention that it follows; if it is wrong, explain why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..diagnosis.diagnose import Diagnosis, diagnose, reported_losses
from ..diagnosis.search import forward_names
from ..verdict.agreement import Tally
from ..verdict.case import Case
from ..verdict.judge import PHASES, Finding, Verdict
from ..verdict.observation import Observation
from .answer import answer
from .convention import PLAIN, Convention, Penalty
from .coverage import never_shown
from .explain import Explanation, explain
from .inference import conventions, few, fits, nearest
from .observing import Observed
from .own_loss import against_its_own_loss
from .sample_by_sample import one_at_a_time, updates_by_sample
from .target import CROSS_ENTROPIES, Target

_ALTERNATIVES = 3
"""The number of conventions under which a mistake is sought."""

_SHOWN = {True: 24, False: 12}
"""The number of observations by which it is sought: wrong ones, and right ones."""


@dataclass(frozen=True)
class Judged:
    """What was observed in one dtype, as judged."""

    dtype: str
    observed: Observed

    @property
    def phases(self) -> dict[str, dict[str, Any]]:
        """The verdict and the figures of each phase that was judged."""
        tallies = {phase: Tally() for phase in PHASES}
        for observation in self.observed.all:
            for finding in observation.findings:
                tallies[finding.phase].add("", finding)
        return {
            phase: {key: value for key, value in tally.summary().items() if key != "largest_at"}
            for phase, tally in tallies.items()
            if tally.shares
        }

    @property
    def first_wrong(self) -> dict[str, Any] | None:
        """The first tensor that disagrees, in the order of computation."""
        for where, observation in self.observed.observations:
            for finding in observation.findings:
                if finding.verdict is Verdict.DISAGREE:
                    return {"dtype": self.dtype, "step": where, **_in_json(finding)}
        return None


def _in_json(finding: Finding) -> dict[str, Any]:
    finite = np.isfinite(finding.difference)
    return {
        "phase": finding.phase,
        "layer": finding.layer,
        "tensor": finding.tensor,
        "index": list(finding.index),
        "difference": finding.difference if finite else None,
        "allowed": finding.allowed,
        "text": str(finding),
    }


@dataclass(frozen=True)
class Judgement:
    """The judgement on a target: every number that it showed, judged under one convention.

    Attributes:
        convention: the convention that it follows, or the likeliest if it is wrong under all.
        judged: what was observed in each dtype.
        own_loss: its gradient was judged against differences of its own loss, which is none that is known here.
        near: in words, the loss that is known and nearest to its own, and how near it is; empty if none is near.
        other: in words, how its network differs from all that are known; empty if it does not.
        prescribed: it runs one network only.
        labels: the only targets for which it was judged; empty if for any.
        explanation: why it is wrong; None if nothing disagrees.
    """

    convention: Convention
    judged: tuple[Judged, ...]
    own_loss: bool = False
    near: str = ""
    other: str = ""
    prescribed: bool = False
    labels: tuple[float, ...] = ()
    explanation: Explanation | None = None

    @property
    def wrong(self) -> Judged | None:
        """The first dtype in which something disagrees."""
        return next((j for j in self.judged if j.observed.verdict is Verdict.DISAGREE), None)

    @property
    def never_shown(self) -> list[str]:
        """What abstained wherever it was judged, in words."""
        findings = (f for one in self.judged for o in one.observed.all for f in o.findings)
        return never_shown(findings, prescribed=self.prescribed)

    @property
    def wrong_between_classes(self) -> bool:
        """True if something is wrong for targets between 0 and 1, as a program may be that knows the two alone."""
        return any(
            o.wrong(*PHASES)
            for one in self.judged
            for o in one.observed.all
            if np.all((o.case.batch[1] >= 0) & (o.case.batch[1] <= 1))
            and np.any((o.case.batch[1] != 0) & (o.case.batch[1] != 1))
        )

    @property
    def tells_a_loss(self) -> bool:
        """True if it tells a loss that was judged."""
        return bool(self.of_the_loss)

    @property
    def knows_the_loss(self) -> bool:
        """True if the loss that it tells is right, for targets between 0 and 1 as well."""
        found = self.of_the_loss
        # Of a cross-entropy of classes, the gradient may be right for distributions only.
        of_classes = self.convention.loss in CROSS_ENTROPIES
        return Verdict.AGREE in found and Verdict.DISAGREE not in found and not of_classes

    @property
    def of_the_loss(self) -> set[Verdict]:
        """The verdicts on the loss that it tells."""
        return {
            f.verdict
            for one in self.judged
            for o in one.observed.all
            for f in o.findings
            if f.tensor == "loss"
        }

    @property
    def right(self) -> bool:
        """True if nothing disagrees, and everything showed enough: only this speaks for a convention."""
        return self.wrong is None and not self.never_shown


def judge(target: Target, observed: Mapping[str, Observed]) -> Judgement:
    """Judge a target under its convention. All dtypes, phases and steps are judged under the same one."""
    judgement = _judged(target, observed)
    return replace(judgement, prescribed=target.limits.widths is not None)


def _judged(target: Target, observed: Mapping[str, Observed]) -> Judgement:
    broken = [why for one in observed.values() for why in one.broken]
    stated = _stated(target)
    plain = _under(stated, observed)
    if broken:
        return replace(plain, explanation=Explanation(broken[0], broken))
    if plain.wrong is None:
        return plain
    candidates = [PLAIN] if target.registered else list(conventions(target.limits, _all(observed)))
    right = _in_a_convention(observed, candidates)
    if right is not None:
        return right
    own = _by_its_own_loss(target, observed, candidates[0])
    if own is not None and own.right:
        return own
    wrong = _wrong(target, observed, candidates)
    if own is None or own.wrong is None or (wrong.explanation and wrong.explanation.known):
        return wrong
    return replace(own, explanation=_NOT_OF_ITS_OWN_LOSS)


_NOT_OF_ITS_OWN_LOSS = Explanation(
    "its gradient is not that of its own loss, for an unknown reason",
    [
        "gradient: wrong, and it matches no known mistake; it was compared with differences of the loss that it tells"
    ],
)


def _stated(target: Target) -> Convention:
    limits = target.limits
    return Convention(
        limits.activations or (),
        limits.loss or "",
        penalty=Penalty(limits.penalty) if limits.penalty else None,
        per_sample=limits.per_sample,
    )


def _under(convention: Convention, observed: Mapping[str, Observed]) -> Judgement:
    judged = (
        Judged(dtype, one.each(replace(convention, coarse=_is_coarse(one)).under))
        for dtype, one in observed.items()
    )
    return Judgement(convention, tuple(judged))


def _is_coarse(observed: Observed) -> bool:
    """Return True if arrays were narrower than asked for: a loss alone says nothing of the rest."""
    return bool(observed.narrow - {"losses"})


def _in_a_convention(
    observed: Mapping[str, Observed], candidates: Sequence[Convention]
) -> Judgement | None:
    """Return the judgement under a convention under which nothing disagrees."""
    for convention in candidates:
        judgement = _under(convention, observed)
        if judgement.right:
            return judgement
        if not _exact_sigmoid(judgement):
            judgement = _under(replace(convention, absolute_sigmoid=True), observed)
            if judgement.right:
                return judgement
    return None


def _by_its_own_loss(
    target: Target, observed: Mapping[str, Observed], likeliest: Convention
) -> Judgement | None:
    """Return the judgement against the target's own loss; None if it tells none, or one that is known.

    Other activations are no mistake, whatever they are. Weights or biases that are used in another way are one; so is a
    known activation that is another one for some numbers.
    """
    everything = _all(observed)
    shown = [o for o in everything if o.result.activations is not None]
    network: Convention | None = Convention(likeliest.activations)
    known = fits(likeliest, everything, "loss") and not likeliest.guard
    differs_at_times = not fits(likeliest, shown, "forward") and fits(
        likeliest, few(shown), "forward"
    )
    if target.registered or known or differs_at_times:
        return None
    told = [Convention(likeliest.activations).unscaled(o) for o in few(everything)]
    if any(loss.mistaken for loss in reported_losses(told, ())):
        return None
    other = ""
    if network is not None and not fits(network, shown, "forward"):
        network = None
        names = list(forward_names(few(shown))) if shown else []
        if any("weigh" in name.mistake.changes for name in names):
            return None
        if shown:
            other = str(names[0]) if names else "its forward pass is none that is known here"
    apart = [o for o in everything if likeliest.under(o).wrong(*PHASES)]
    own = against_its_own_loss(target, observed, network, apart)
    if own is None:
        return None
    factor, judged_so = own
    judged = tuple(Judged(dtype, one) for dtype, one in judged_so.items())
    convention = replace(network or PLAIN, factor=factor)
    near = "" if other else nearest(convention, _all(observed))
    return Judgement(convention, judged, own_loss=True, near=near, other=other)


def _all(observed: Mapping[str, Observed]) -> list[Observation]:
    """Return all observations that can be judged in their own dtype."""
    return [o for one in observed.values() if not _is_coarse(one) for o in one.all]


def _exact_sigmoid(judgement: Judgement) -> bool:
    """Return True if the activations are shown, and exact: then an inaccurate sigmoid is no excuse."""
    found = [
        f
        for one in judgement.judged
        for o in one.observed.all
        for f in o.findings
        if f.phase == "forward"
    ]
    return bool(found) and not any(f.verdict is Verdict.DISAGREE for f in found)


def _wrong(
    target: Target, observed: Mapping[str, Observed], candidates: Sequence[Convention]
) -> Judgement:
    """Explain the mistake under the likeliest convention; a convention is no mistake, so a mistake is sought in it."""
    # Another network or loss that fits is no mistake.
    plain = [] if candidates[0].activations or candidates[0].loss else [PLAIN]
    tried = dict.fromkeys([*candidates[:_ALTERNATIVES], *plain])
    judgements = [_under(convention, observed) for convention in tried]
    wrong = [(j.wrong.dtype, j) for j in judgements if j.wrong is not None]
    best: Judgement | None = None
    for dtype, judgement in wrong:
        observations = _telling(judgement, dtype)
        in_force = judgement.convention
        if in_force.per_sample or (
            not target.registered and updates_by_sample(target, observations)
        ):
            in_force = replace(in_force, per_sample=True)
            observations = one_at_a_time(target, observations)
        found = _diagnosed(target, in_force, observations)
        explanation = explain(found, in_force, strict=target.registered)
        if best is None or not found.unknown:
            judged = _under(replace(in_force, factor=explanation.factor), observed)
            # Under its own factor, a program may differ in nothing that is shown in this dtype.
            judged = judged if judged.wrong else _under(in_force, observed)
            best = replace(judged, explanation=explanation)
        if not found.unknown:
            break
    if best is None:
        unknown = Explanation("wrong, for an unknown reason")
        best = replace(_under(PLAIN, observed), explanation=unknown)
    return best


def _telling(judgement: Judgement, dtype: str) -> list[Observation]:
    """Choose some observations that show a mistake, and some that it must leave right: the first of each configuration.

    The search for a name tries some thousand predictions on each.
    """
    (judged,) = (j for j in judgement.judged if j.dtype == dtype)
    chosen: dict[bool, dict[Any, Observation]] = {True: {}, False: {}}
    # With a single sample, many mistakes are the same, or cannot be made.
    several = [o for o in judged.observed.all if o.elements[0] > 1]
    enough = any(o.wrong(*PHASES) for o in several)
    for o in several if enough else judged.observed.all:
        wrong = o.wrong(*PHASES)
        shown = tuple(phase for phase in PHASES if o.wrong(phase))
        key = o.case.network, o.elements, o.case.schedule.optimizer, min(o.case.update, 2), shown
        if len(chosen[wrong]) < _SHOWN[wrong]:
            chosen[wrong].setdefault(key, o)
    return [Observation(o.case, o.result) for some in chosen.values() for o in some.values()]


def _diagnosed(
    target: Target, convention: Convention, observations: Sequence[Observation]
) -> Diagnosis:
    asked = {convention.network(o.case.network): o.case.network for o in observations}

    def ask(case: Case) -> Any:
        return answer(target, replace(case, network=asked[case.network])).first

    explained = [convention.unscaled(o) for o in observations]
    if fits(
        convention, observations, "loss"
    ):  # as a penalty's, it may be outside the bound of what is left
        explained = [replace(o, result=replace(o.result, loss=None)) for o in explained]
    return diagnose(explained, ask)
