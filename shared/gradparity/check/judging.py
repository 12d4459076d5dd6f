"""Judge what was observed of a target under the convention that it follows; if it is wrong, explain why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..diagnosis.diagnose import reported_losses
from ..diagnosis.search import forward_names
from ..verdict.judge import PHASES, Verdict
from .convention import PLAIN, Convention, Penalty
from .explain import Explanation
from .inference import conventions, few, fits, nearest
from .judgement import Judged, Judgement, all_of, under
from .observed import Observed
from .own_loss import against_its_own_loss
from .seeking import explained
from .target import Target


def judge(target: Target, observed: Mapping[str, Observed]) -> Judgement:
    """Judge a target under its convention. All dtypes, phases and steps are judged under the same one."""
    judgement = _judged(target, observed)
    return replace(judgement, prescribed=target.limits.widths is not None)


def _judged(target: Target, observed: Mapping[str, Observed]) -> Judgement:
    broken = [why for one in observed.values() for why in one.broken]
    stated = _stated(target)
    plain = under(stated, observed)
    if broken:
        return replace(plain, explanation=Explanation(broken[0], broken))
    if plain.wrong is None:
        return plain
    candidates = (
        [PLAIN] if target.registered else list(conventions(target.limits, all_of(observed)))
    )
    right = _in_a_convention(observed, candidates)
    if right is not None:
        return right
    own = _by_its_own_loss(target, observed, candidates[0])
    if own is not None and own.right:
        return own
    wrong = explained(target, observed, candidates)
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


def _in_a_convention(
    observed: Mapping[str, Observed], candidates: Sequence[Convention]
) -> Judgement | None:
    """Return the judgement under a convention under which nothing disagrees."""
    for convention in candidates:
        judgement = under(convention, observed)
        if judgement.right:
            return judgement
        if not _exact_sigmoid(judgement):
            judgement = under(replace(convention, absolute_sigmoid=True), observed)
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
    everything = all_of(observed)
    shown = [o for o in everything if o.result.activations is not None]
    known = fits(likeliest, everything, "loss") and not likeliest.guard
    differs_at_times = not fits(likeliest, shown, "forward") and fits(
        likeliest, few(shown), "forward"
    )
    if target.registered or known or differs_at_times:
        return None
    of_network = Convention(likeliest.activations)
    told = [of_network.unscaled(o) for o in few(everything)]
    if any(loss.mistaken for loss in reported_losses(told, ())):
        return None
    network = of_network if fits(of_network, shown, "forward") else None
    other = ""
    if network is None:
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
    near = "" if other else nearest(convention, everything)
    return Judgement(convention, judged, own_loss=True, near=near, other=other)


def _exact_sigmoid(judgement: Judgement) -> bool:
    """Return True if the activations are shown, and exact: then an inaccurate sigmoid is no excuse."""
    found = [finding.verdict for finding in judgement.findings if finding.phase == "forward"]
    return bool(found) and Verdict.DISAGREE not in found
