"""The study: for each section a few sentences, a table and a figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

from matplotlib.figure import Figure

from ...plotting import Drawing
from ...sweep.summary import difference, wilson
from . import study_figures as draw
from .section import Content, Part, drawings

Study = Mapping[str, Any]


def show(study: Study) -> Content:
    """Return a part for each section of the original assignment, in its order, and for each further measurement."""
    # The part on chaos needs two implementations.
    parts = [make(study) for make in _PARTS if make is not _chaos or study["chaos"]]
    listed = [(part.name, part.title) for part in parts]
    return Content({"parts": parts, "stored": study}, drawings(parts), listed)


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _rate(result: Mapping[str, Any]) -> str:
    low, high = result["interval_95"]
    return f"{_percent(result['success_rate'])} ({100 * low:.0f}–{100 * high:.0f})"


def _rate_before(rate: float) -> str:
    low, high = wilson(round(rate * _BEFORE), _BEFORE)
    return f"{_percent(rate)} ({100 * low:.0f}–{100 * high:.0f})"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _loss(value: float | None) -> str:
    return "–" if value is None else f"{value:.2g}"


def _epochs(result: Mapping[str, Any]) -> str:
    return " / ".join(map(_number, result["epochs_to_success"].values()))


_BEFORE = 512
"""The number of seeds in the earlier measurements; they are other seeds than the study's."""


def _differs(result: Mapping[str, Any], known: float) -> bool:
    here, before = (result["successes"], result["members"]), (round(known * _BEFORE), _BEFORE)
    low, high = difference(here, before)
    return not low <= 0 <= high


def _part(
    name: str,
    number: str,
    title: str,
    text: str,
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    figure: Figure,
    caption: str,
) -> Part:
    drawing = Drawing.of(figure)
    return Part(f"study-{name}", number, title, text, headings, rows, drawing, caption)


_CHECKED = ("1000", "2000", "5000", "10000")


def _learning_rates(study: Study) -> Part:
    targets, rows = study["implementations"], study["tables"]["assignment"][:6]
    table: list[list[str]] = []
    differing: list[str] = []
    for row in rows:
        known = row["known"]
        for target in targets:
            result = row["results"][target]
            differing += [row["label"]] if _differs(result, known["success"]) else []
            medians = [_loss(result["median_loss"].get(epoch)) for epoch in _CHECKED]
            table.append(
                [row["label"], target, _rate(result), _epochs(result), " / ".join(medians)]
            )
        before = " / ".join(_loss(known["losses"][epoch]) for epoch in _CHECKED)
        table.append([row["label"], "measured before", _rate_before(known["success"]), "", before])
    results = {row["label"]: row["results"][targets[0]] for row in rows}
    text = (
        f"Each row is {study['seeds']} initial seeds; for linear, each seed also draws new points. At the original assignment's learning "
        f"rate 0.1, {_percent(results['XOR, rate 0.1']['success_rate'])} of the seeds solve XOR and "
        f"{_percent(results['linear, rate 0.1']['success_rate'])} solve linear, which looks easier: by chance its points may "
        "lie very near to the diagonal. Half the rate takes about twice the epochs, and the runs get more than that: "
        f"{_percent(results['XOR, rate 0.05']['success_rate'])} and {_percent(results['linear, rate 0.05']['success_rate'])}. Ten "
        f"hidden units instead of four reach {_percent(results['XOR, 10/10 hidden units']['success_rate'])} and "
        f"{_percent(results['linear, 10/10 hidden units']['success_rate'])}. The same was measured before this program was written, "
        f"with {_BEFORE} other seeds: of the {len(rows) * len(targets)} rates here, {len(differing) or 'none'} differ from the earlier ones by more than "
        f"chance (95 % interval of the difference of two rates){': ' if differing else ''}{', '.join(dict.fromkeys(differing))}."
    )
    return _part(
        "learning-rates", "4-1, 4-2", "Learning rates and hidden units", text,
        ["setting", "", "success (95 %)", "epochs to success, 10 / 50 / 90 %", "median loss at 1000 / 2000 / 5000 / 10000"],
        table,
        draw.success(rows, targets[0]),
        f"The share of seeds whose outputs are all within 0.1 of their labels, by epoch ({targets[0]}).",
    )  # fmt: skip


def _no_activation(study: Study) -> Part:
    targets, rows = study["implementations"], study["tables"]["assignment"][6:]
    limits = study["least_squares"]
    diverged = {row["experiment"]: row["results"][targets[0]]["diverged"] for row in rows}
    table = [
        [row["label"], target, _rate(row["results"][target]), *(_loss3(row["results"][target]["median_loss"].get(e)) for e in _CHECKED), _loss3(limits[row["experiment"]])]
        for row in rows
        for target in targets
    ]  # fmt: skip
    text = (
        "Without activations the three layers are one linear map, and no training can do better than least squares. The least-squares loss on XOR is "
        f"{limits['xor-no-activation']:.3f}, more than the loss of the constant output ½ (0.25), which a network without biases cannot produce. On linear it is "
        f"{limits['linear-no-activation']:.3f} (the median over the seeds' points); the least-squares map splits them only roughly. No seed succeeds, and "
        f"the learning rate is still too large for some: {diverged['linear-no-activation']} of linear's and "
        f"{diverged['xor-no-activation']} of XOR's {rows[0]['results'][targets[0]]['members']} diverge; in the medians they count as infinite."
    )
    return _part(
        "no-activation", "4-3", "No activation: least squares at best", text,
        ["setting", "", "success (95 %)", *(f"median loss at {epoch}" for epoch in _CHECKED), "least squares"],
        table,
        draw.losses_and_limits(rows, targets[0], limits),
        f"Median loss over the seeds, and the least-squares limit (dashed). {targets[0]}.",
    )  # fmt: skip


def _loss3(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _table(rows: Sequence[Mapping[str, Any]], target: str, known: str) -> list[list[str]]:
    """Return rows of label, success, epochs to success, median final loss, and the earlier measurement."""
    table = []
    for row in rows:
        result, before = row["results"][target], row["known"].get(known)
        shown = _percent(before) if before is not None and known == "success" else _number(before)
        *_, loss = result["median_loss"].values()
        table.append([row["label"], _rate(result), _epochs(result), _loss(loss), shown])
    return table


_HEADINGS = ["setting", "success (95 %)", "epochs to success, 10 / 50 / 90 %", "median final loss"]


def _optimizers(study: Study) -> Part:
    rows, target = study["tables"]["optimizers"], study["implementations"][0]
    found = {row["label"]: row["results"][target]["epochs_to_success"]["50%"] for row in rows}
    reached = sorted((epochs, label) for label, epochs in found.items() if epochs is not None)
    fastest = "".join(f" The fastest is {label}, with {_number(n)}." for n, label in reached[:1])
    text = (
        "XOR with the gradient of the MSE and six optimizers. Half of the seeds have succeeded after "
        f"{_number(found['gradient descent, rate 1'])} epochs of gradient descent at rate 1; momentum 0.9 needs "
        f"{_number(found['momentum 0.9, rate 1'])} at the same rate, and {_number(found['momentum 0.9, rate 0.1'])} at a tenth "
        f"of it, because its steps add up to ten times the gradient.{fastest}"
    )
    return _part(
        "optimizers", "5-1", "Optimizers", text,
        [*_HEADINGS, "median epochs measured before"],
        _table(rows, target, "epochs"),
        draw.success(rows, target, log=True),
        f"The share of seeds that have succeeded, by epoch ({target}).",
    )  # fmt: skip


def _conventions(study: Study) -> Part:
    rows = study["conventions"]
    table = [
        [row["subject"], row["ours"], row["theirs"], _loss(row["losses"]["ours"][-1]), _loss(row["losses"]["theirs"][-1])]
        for row in rows
    ]  # fmt: skip
    text = (
        "Libraries use one name for several formulas. All three implementations follow the first convention of each row, which is torch's; "
        "optax is configured to match it, and for Adagrad, where that is impossible, the transformation is written out. A port that keeps the other "
        "library's default trains differently, although its start and its gradients are the same."
    )
    return _part(
        "conventions", "5-1", "Where the libraries' defaults differ", text,
        ["what", "here", "elsewhere", "loss at the end, here", "elsewhere"],
        table,
        draw.conventions(rows),
        "Losses on XOR under both conventions from the same initial weights, seed 0.",
    )  # fmt: skip


def _relu(study: Study) -> Part:
    rows, target = study["tables"]["relu"], study["implementations"][0]
    results = {row["label"]: row["results"][target] for row in rows}
    dead, fixed = study["dead"], "all of these and He's initial weights"
    text = (
        f"With ReLU on every layer, {_percent(dead['xor']['0'])} of the XOR networks and {_percent(dead['linear']['0'])} of linear's "
        "start with an output and a gradient of exactly zero, and the first steps overshoot: after five updates "
        f"{_percent(dead['linear']['5'])} of linear's are dead, {_percent(dead['linear']['1'])} already after one. The others cannot "
        "succeed on linear either: without biases f(t·x) = t·f(x), so the output cannot be 1 along a whole ray. On XOR "
        f"{_percent(results[rows[0]['label']]['success_rate'])} succeed; He's initial weights or a smaller rate alone help little "
        f"({_percent(results[rows[1]['label']]['success_rate'])}, {_percent(results['rate 0.01']['success_rate'])}), and a sigmoid on the "
        "output alone does not help, because without biases its output at the origin, one of XOR's points, is ½ "
        f"({_percent(results['sigmoid on the output']['success_rate'])}). With biases and ten units the rate is "
        f"{_percent(results['sigmoid on the output, biases, width 10']['success_rate'])}, and with He's initial weights in addition "
        f"{_percent(results[fixed]['success_rate'])} of the seeds succeed."
    )
    return _part(
        "relu", "5-2", "Why ReLU failed, and how to fix it", text,
        [*_HEADINGS, "success measured before"],
        _table(rows, target, "success"),
        draw.rates(rows, target),
        f"Success on XOR with its 95 % interval, one thing fixed after another ({target}).",
    )  # fmt: skip


def _deaths(study: Study) -> Part:
    dead = study["dead"]
    table = [
        [name, *(_percent(share) for share in shares.values())] for name, shares in dead.items()
    ]
    text = (
        "ReLU on every layer, with the original assignment's network and learning rate: the share of seeds whose output is zero on "
        "every sample and whose gradient is exactly zero, so that the weights never change again."
    )
    return _part(
        "dead-relu", "5-2", "How fast ReLU networks die", text,
        ["dataset", *(f"after {step} update{'s' * (step != '1')}" for step in next(iter(dead.values())))],
        table,
        draw.deaths(dead),
        "The share of dead networks, by the number of updates.",
    )  # fmt: skip


def _digits(study: Study) -> Part:
    rows = study["digits"]
    found = {row["label"]: median(row["accuracy"]) for row in rows}
    table = [
        [row["label"], str(row["parameters"]), f"{row['rate']:g}", _percent(found[row["label"]]), f"{100 * min(row['accuracy']):.1f}–{100 * max(row['accuracy']):.1f} %", _percent(row["known"]["accuracy"])]
        for row in rows
    ]  # fmt: skip
    text = (
        f"scikit-learn's 8 × 8 digits, 1200 to train on and 597 to test, 300 full-batch epochs of gradient descent, "
        f"{len(rows[0]['accuracy'])} initial seeds. A convolution with 810 parameters classifies {_percent(found['convolution, cross-entropy'])} "
        f"of the test digits correctly, an MLP with nearly twice as many {_percent(found['MLP, cross-entropy'])}; with the MSE instead of the "
        f"cross-entropy the shares are {_percent(found['convolution, MSE'])} and {_percent(found['MLP, MSE'])}. The purpose of this part is parity: "
        "the layout of this layer differs between the frameworks. The earlier measurements do not state their optimizer, rate or initial weights."
    )
    return _part(
        "convolution", "5-3", "Convolution", text,
        ["network and loss", "parameters", "learning rate", "median test accuracy", "range over seeds", "measured before"],
        table,
        draw.accuracies(rows),
        "The test accuracy of each initial seed (circles) and their median (bar).",
    )  # fmt: skip


def _gradient(study: Study) -> Part:
    rows, target = study["tables"]["gradient"], study["implementations"][0]
    results = [row["results"][target] for row in rows]
    found = [result["epochs_to_success"]["50%"] for result in results]
    text = (
        "The original assignment left the factor 2/N of the mean out of its gradient. Its learning rate 0.1 therefore equals 1.05 on XOR's 21 "
        "points, and 5 on linear's 100 points, with the true gradient. At the rate 0.1 with the true gradient, half of the seeds need "
        f"{_number(found[1])} epochs instead of {_number(found[0])} on XOR, and {_number(found[3])} instead of {_number(found[2])} on linear "
        f"({results[3]['members']} and {results[2]['members']} seeds). The ratios are about those of the rates, 10.5 and 50."
    )
    return _part(
        "gradient", "2-3", "N/2 times the gradient, and the true one", text,
        [*_HEADINGS, "median epochs measured before"],
        _table(rows, target, "epochs"),
        draw.success(rows, target, log=True),
        f"The share of seeds that have succeeded, by epoch ({target}).",
    )  # fmt: skip


def _scale(study: Study) -> Part:
    rows, target = study["tables"]["initial_scale"], study["implementations"][0]
    results = {row["label"]: row["results"][target] for row in rows}
    text = (
        f"Training on XOR starts on a plateau, and small initial weights stay on it for long. Standard-normal weights succeed for "
        f"{_percent(results['standard normal']['success_rate'])} of the seeds within 12,000 epochs, PyTorch's default for "
        f"{_percent(results['torch default']['success_rate'])}, and standard-normal weights of a quarter of the size for "
        f"{_percent(results['standard normal × 0.25']['success_rate'])}."
    )
    return _part(
        "initial-scale", "", "The size of the initial weights", text,
        [*_HEADINGS, "success measured before"],
        _table(rows, target, "success"),
        draw.rates(rows, target),
        f"Success on XOR after 12,000 epochs with its 95 % interval ({target}).",
    )  # fmt: skip


def _chaos(study: Study) -> Part:
    rows = study["chaos"]
    epochs = list(rows[0]["parted"])
    table = [[row["label"], *(_percent(row["parted"][epoch]) for epoch in epochs)] for row in rows]
    pair = " and ".join(rows[0]["implementations"])
    text = (
        f"{pair} train with the same weights, points and formulas. On linear at rate 0.1 the losses of {_percent(rows[0]['parted']['1000'])} of the "
        "seeds differ by more than a thousandth within 1000 epochs, although every single step of both lies within "
        f"what rounding can do; at rate 0.02 the share is {_percent(rows[2]['parted']['1000'])}, on XOR {_percent(rows[3]['parted']['1000'])}. At "
        "rate 0.1 training on linear is chaotic: it doubles a difference every few epochs. No tolerance for a free run "
        "could distinguish this from a mistake."
    )
    return _part(
        "chaos", "", "How two correct implementations diverge", text,
        ["setting", *(f"diverged by epoch {epoch}" for epoch in epochs)],
        table,
        draw.parting(rows),
        "The relative difference of the two implementations' losses, for the seed that diverges first; the line marks a thousandth.",
    )  # fmt: skip


_PARTS: tuple[Callable[[Study], Part], ...] = (
    _gradient,
    _learning_rates,
    _no_activation,
    _optimizers,
    _conventions,
    _relu,
    _deaths,
    _digits,
    _scale,
    _chaos,
)
