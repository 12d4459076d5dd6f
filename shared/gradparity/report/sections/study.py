"""The study as the report shows it: for each section a few sentences, a table and a figure."""

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
    """A part for each section of the homework, in its order, and for what was measured beside it."""
    # Two implementations diverge, one does not.
    parts = [make(study) for make in _PARTS if make is not _chaos or study["chaos"]]
    listed = [(part.name, part.title) for part in parts]
    return Content({"parts": parts, "stored": study}, drawings(parts), listed)


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _rate(result: Mapping[str, Any]) -> str:
    low, high = result["interval_95"]
    return f"{_percent(result['success_rate'])} ({100 * low:.0f}–{100 * high:.0f})"


def _of_before(rate: float) -> str:
    low, high = wilson(round(rate * _BEFORE), _BEFORE)
    return f"{_percent(rate)} ({100 * low:.0f}–{100 * high:.0f})"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _loss(value: float | None) -> str:
    return "–" if value is None else f"{value:.2g}"


def _epochs(result: Mapping[str, Any]) -> str:
    return " / ".join(map(_number, result["epochs_to_success"].values()))


_BEFORE = 512
"""Seeds of what was measured before this program was written; other seeds than here."""


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
        table.append([row["label"], "measured before", _of_before(known["success"]), "", before])
    results = {row["label"]: row["results"][targets[0]] for row in rows}
    text = (
        f"Each row is {study['seeds']} initial seeds; linear's points are drawn anew for each. At the homework's learning "
        f"rate 0.1, {_percent(results['XOR, rate 0.1']['success_rate'])} of the seeds solve XOR and "
        f"{_percent(results['linear, rate 0.1']['success_rate'])} solve linear, the easier-looking problem, as its points may "
        "lie as near to the diagonal as chance has it. Half the rate takes about twice the epochs, and is given more than that: "
        f"{_percent(results['XOR, rate 0.05']['success_rate'])} and {_percent(results['linear, rate 0.05']['success_rate'])}. Ten "
        f"hidden units in place of four bring {_percent(results['XOR, 10/10 hidden units']['success_rate'])} and "
        f"{_percent(results['linear, 10/10 hidden units']['success_rate'])}. The same was measured before this program was written, "
        f"with {_BEFORE} other seeds: of the {len(rows) * len(targets)} rates here, {len(differing) or 'none'} differ from those by more than "
        f"chance (95 % interval of the difference of two rates){': ' if differing else ''}{', '.join(dict.fromkeys(differing))}."
    )
    return _part(
        "learning-rates", "4-1, 4-2", "Learning rates and hidden units", text,
        ["setting", "", "success (95 %)", "epochs to success, 10 / 50 / 90 %", "median loss at 1000 / 2000 / 5000 / 10000"],
        table,
        draw.success(rows, targets[0]),
        f"The share of seeds that have come within 0.1 of every label, by epoch ({targets[0]}).",
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
        "Without activations the three layers are one linear map, and no training can do better than least squares: on XOR "
        f"{limits['xor-no-activation']:.3f}, more than the constant ½ would cost (0.25), as without biases not even that can be said; on linear "
        f"{limits['linear-no-activation']:.3f} (the median over the seeds' points), which splits them only roughly. No seed succeeds, and "
        f"the learning rate is still too large for some: {diverged['linear-no-activation']} of linear's and "
        f"{diverged['xor-no-activation']} of XOR's {rows[0]['results'][targets[0]]['members']} diverge; the medians count them as infinite."
    )
    return _part(
        "no-activation", "4-3", "No activation, and its limit", text,
        ["setting", "", "success (95 %)", *(f"median loss at {epoch}" for epoch in _CHECKED), "least squares"],
        table,
        draw.losses_and_limits(rows, targets[0], limits),
        f"Median loss over the seeds, and the least-squares limit (dashed). {targets[0]}.",
    )  # fmt: skip


def _loss3(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _table(rows: Sequence[Mapping[str, Any]], target: str, known: str) -> list[list[str]]:
    """Label, success, epochs to success, median final loss, and what was measured before."""
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
        "XOR with the true gradient of the MSE, in six optimizers. Half of the seeds have succeeded after "
        f"{_number(found['gradient descent, rate 1'])} epochs of gradient descent at rate 1; momentum 0.9 gets there in "
        f"{_number(found['momentum 0.9, rate 1'])} at the same rate, and in {_number(found['momentum 0.9, rate 0.1'])} at a tenth "
        f"of it, as its steps add up to ten times the gradient.{fastest}"
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
        "One name, several formulas. All three implementations follow the first convention of each row, which is torch's; "
        "optax is set to it, and where it cannot be (Adagrad) the transformation is written out. A port that takes the other "
        "library's default trains another way, from the same start and with the same gradients."
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
    dead, mended = study["dead"], "all of these and He's initial weights"
    text = (
        f"With ReLU on every layer, {_percent(dead['xor']['0'])} of the XOR networks and {_percent(dead['linear']['0'])} of linear's "
        "begin with an output and a gradient of exactly zero, and the first steps overshoot: after five updates "
        f"{_percent(dead['linear']['5'])} of linear's are dead, after one already {_percent(dead['linear']['1'])}. Nor can the rest "
        "succeed on linear: without biases f(t·x) = t·f(x), so the network cannot say 1 at every distance along a ray. On XOR "
        f"{_percent(results[rows[0]['label']]['success_rate'])} do; He's initial weights or a smaller rate alone mend little "
        f"({_percent(results[rows[1]['label']]['success_rate'])}, {_percent(results['rate 0.01']['success_rate'])}), and a sigmoid on the "
        "output alone nothing, as without biases it says ½ at the origin, which is one of XOR's points "
        f"({_percent(results['sigmoid on the output']['success_rate'])}). With biases and ten units it is "
        f"{_percent(results['sigmoid on the output, biases, width 10']['success_rate'])}, and with He's initial weights on top "
        f"{_percent(results[mended]['success_rate'])} of the seeds succeed."
    )
    return _part(
        "relu", "5-2", "Why ReLU failed, and what mends it", text,
        [*_HEADINGS, "success measured before"],
        _table(rows, target, "success"),
        draw.rates(rows, target),
        f"Success on XOR with its 95 % interval, one thing mended after the other ({target}).",
    )  # fmt: skip


def _deaths(study: Study) -> Part:
    dead = study["dead"]
    table = [
        [name, *(_percent(share) for share in shares.values())] for name, shares in dead.items()
    ]
    text = (
        "ReLU on every layer, the homework's network and learning rate: the share of seeds whose output is zero on every sample "
        "and whose gradient is exactly zero, so that nothing will ever change."
    )
    return _part(
        "dead-relu", "5-2", "How fast ReLU networks die", text,
        ["dataset", *(f"after {step} updates" for step in next(iter(dead.values())))],
        table,
        draw.deaths(dead),
        "Dead networks by the number of updates done.",
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
        f"{len(rows[0]['accuracy'])} initial seeds. A convolution with 810 parameters reads {_percent(found['convolution, cross-entropy'])} "
        f"of the unseen digits, an MLP with nearly twice as many {_percent(found['MLP, cross-entropy'])}; with the MSE in place of the "
        f"cross-entropy it is {_percent(found['convolution, MSE'])} and {_percent(found['MLP, MSE'])}. What it is here for is parity: a "
        "layer whose layout differs between the frameworks. What was measured before does not tell its optimizer, rate or initial weights."
    )
    return _part(
        "convolution", "5-3", "Convolution", text,
        ["network and loss", "parameters", "learning rate", "median test accuracy", "range over seeds", "measured before"],
        table,
        draw.accuracies(rows),
        "Test accuracy of each initial seed (circles) and the median (bar).",
    )  # fmt: skip


def _gradient(study: Study) -> Part:
    rows, target = study["tables"]["gradient"], study["implementations"][0]
    results = [row["results"][target] for row in rows]
    found = [result["epochs_to_success"]["50%"] for result in results]
    text = (
        "The homework left the mean's 2/N out of its gradient, so its learning rate 0.1 is 1.05 on XOR's 21 points and 5 on linear's "
        f"100 in units of the true gradient. With the true gradient at 0.1, half of the seeds need {_number(found[1])} epochs in place of "
        f"{_number(found[0])} on XOR, and {_number(found[3])} in place of {_number(found[2])} on linear, of {results[3]['members']} seeds and of "
        f"{results[2]['members']}: about the factor by which the rate is smaller, 10.5 and 50."
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
        f"XOR begins on a plateau, and small initial weights stay on it for long: standard-normal ones succeed in "
        f"{_percent(results['standard normal']['success_rate'])} of the seeds within 12,000 epochs, PyTorch's default in "
        f"{_percent(results['torch default']['success_rate'])}, standard-normal ones of a quarter the size in "
        f"{_percent(results['standard normal × 0.25']['success_rate'])}."
    )
    return _part(
        "initial-scale", "", "How large the initial weights are", text,
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
        f"The same weights, points and formulas in {pair}: on linear at rate 0.1 the losses of {_percent(rows[0]['parted']['1000'])} of the "
        "seeds have come to differ by more than a thousandth within 1000 epochs, though every single step of both lies within "
        f"what rounding can do. At rate 0.02 it is {_percent(rows[2]['parted']['1000'])}, on XOR {_percent(rows[3]['parted']['1000'])}: the "
        "learning rate is so large there that training is chaotic, and doubles a difference every few epochs. No tolerance for a free run "
        "could tell this from a mistake."
    )
    return _part(
        "chaos", "", "How two correct implementations part ways", text,
        ["setting", *(f"parted by epoch {epoch}" for epoch in epochs)],
        table,
        draw.parting(rows),
        "Relative difference of the two implementations' losses, of the seed that parts first; the line is a thousandth.",
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
