"""Judge each layer alone, from the inputs and cotangents that the target itself computed for it.

The bound of a whole pass grows with every layer, because it must allow each error to be amplified by all layers that
follow. In one layer it stays small. With a batch of one sample, a gradient shows what each layer was given: the bias'
gradient is δ, and each column of the weight's is the layer's inputs times one entry of δ. So every layer is judged from
these *forced* operands: the inputs of the layer are the target's own, and so is the δ of the layer above. What the
target's own operands can differ from the ones recovered here, if it is right, is part of the bound.

We assume that a program computes an operand of a matrix product once, not again by other operations for the gradient.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..contract import SGD, Dense, Layer, Params, map_params
from ..reference.activations import ACTIVATIONS
from ..reference.bound import SAFETY, double, forward_error, gradient_error, passed_down_error
from ..reference.bound_functions import ACTIVATION_BOUNDS, LOSS_BOUNDS, SIGMOID_ULP
from ..reference.bound_update import bound_update
from ..reference.layers import Array, LinearLayer, layers_of
from ..reference.losses import LOSSES
from ..reference.passes import cast
from ..reference.precision import Precision
from ..reference.step import StepValues
from ..reference.vocabulary import SOFTMAX
from .case import Case, oracle_dtype
from .judge import Finding, judge

ROUNDINGS = 6
"""Roundings between δ in a program and the gradient that it shows: factors of the mean may be applied at the end."""


def layerwise(case: Case, result: StepValues, *, absolute_sigmoid: bool = False) -> list[Finding]:
    """Judge activations, loss, gradients and an update by plain SGD, each layer from the target's own operands.

    Only for a batch of one sample and dense layers; otherwise there are no findings. In a right result nothing
    disagrees. If every finding is an agreement, every layer is right, and so is the whole. Gradients are judged from
    the inputs that they show themselves, not from the activations: another call may have rounded those differently.

    Args:
        case: the update.
        result: the target's result for it.
        absolute_sigmoid: see `bound`.
    """
    dense = all(isinstance(layer, Dense) for layer in case.network.layers)
    if len(case.batch[0]) != 1 or not dense:
        return []
    with np.errstate(all="ignore"):  # 0 · ∞, where there is no bound
        parts = list(_parts(case, result, absolute_sigmoid=absolute_sigmoid))
    return [
        finding
        for part, expected, bound in parts
        for finding in judge(case.params, part, expected, bound, slack=case.oracle_slack)
    ]


def _parts(
    case: Case, result: StepValues, *, absolute_sigmoid: bool
) -> Iterator[tuple[StepValues, StepValues, StepValues]]:
    """Yield each part of the result that one call of the target computed, with its expected values and their bound."""
    judged = _Layers.of(case, absolute_sigmoid=absolute_sigmoid)
    if result.activations is not None:
        yield StepValues(activations=result.activations), *judged.activations(result)
    if result.grads is not None:
        own = [_shown(grad, judged.r) for grad in cast(result.grads, oracle_dtype())]
        yield StepValues(loss=result.loss, grads=result.grads), *judged.gradients(own)
    schedule = case.schedule
    if result.updated is not None and schedule.optimizer == SGD() and not schedule.weight_decay:
        part = StepValues(recorded=result.recorded, updated=result.updated)
        yield part, *_updates(case, judged, result.updated)


@dataclass(frozen=True, eq=False)
class _Known:
    """A number of the target's own, and how far it may be from the value here if the target is right."""

    value: Array
    error: Array

    def agrees(self, other: _Known) -> bool:
        """Return True if one number may be behind both."""
        return bool(np.all(np.abs(self.value - other.value) <= self.error + other.error))


@dataclass(frozen=True, eq=False)
class _Gradient:
    """The gradient of one layer that the target shows; no bias if the layer has none."""

    weight: _Known
    bias: _Known | None


@dataclass(frozen=True, eq=False)
class _Units:
    """The outputs of one layer, computed from the target's inputs of that layer."""

    z: Array
    e_z: Array
    a: _Known


@dataclass(frozen=True, eq=False)
class _Layers:
    """The layers of a case, with its weights, inputs and targets in the oracle's precision."""

    case: Case
    layers: list[LinearLayer]
    params: Params
    inputs: Array
    targets: Array
    r: Precision
    tail: float

    @classmethod
    def of(cls, case: Case, *, absolute_sigmoid: bool) -> _Layers:
        wide, r = oracle_dtype(), case.precision
        inputs, targets = (array.astype(wide) for array in case.batch)
        tail = SIGMOID_ULP * r.eps if absolute_sigmoid else 0.0
        return cls(case, layers_of(case.network), cast(case.params, wide), inputs, targets, r, tail)

    def activations(self, result: StepValues) -> tuple[StepValues, StepValues]:
        """Compute each layer's outputs from the outputs that are shown of the layer below, and their E."""
        below, found = _Known(self.inputs, np.zeros(self.inputs.shape)), []
        for layer, shown in zip(self.layers, result.activations or (), strict=True):
            found.append(self._outputs(layer, below).a)
            below = found[-1]
            if shown is not None:
                below = _Known(shown.astype(self.inputs.dtype), np.zeros(shown.shape))
        return (
            StepValues(activations=[a.value for a in found]),
            StepValues(activations=[SAFETY * a.error for a in found]),
        )

    def gradients(self, shown: list[_Gradient]) -> tuple[StepValues, StepValues]:
        """Compute loss and gradients, each layer's from the target's own inputs and its own δ of the layer above."""
        inputs, units = self._forward(shown)
        loss, y = self.case.network.loss, self.targets
        last = units[-1].a
        of_loss = LOSS_BOUNDS[loss](self.r, double(last.value), last.error, double(y))
        d_a = _Known(LOSSES[loss].derivative(last.value, y), of_loss.e_d_a)
        grads: list[Layer] = []
        bounds: list[Layer] = []
        for layer in reversed(self.layers):
            k = layer.index
            # The inputs as computed, not as recovered from the very gradient that they are to judge.
            computed = units[k - 1].a if k else inputs[0]
            known = None if layer is self.layers[-1] else inputs[k + 1]
            delta = self._delta(layer, d_a, units[k], known)
            own, forced = _own_delta(delta, shown[k], inputs[k], self.r)
            grad, bound = self._gradient(layer, computed, delta, forced)
            grads.insert(0, grad)
            bounds.insert(0, bound)
            weight = self.params[k].weight
            d_a = _Known(
                layer.passed_down(own.value, weight),
                passed_down_error(
                    self.r, layer, np.abs(double(own.value)), own.error, double(weight)
                ),
            )
        value, e_loss = LOSSES[loss].function(last.value, y), SAFETY * of_loss.e_loss
        return (
            StepValues(loss=value, grads=tuple(grads), recorded=value),
            StepValues(loss=e_loss, grads=tuple(bounds), recorded=e_loss),
        )

    def _outputs(self, layer: LinearLayer, below: _Known) -> _Units:
        weight, bias = self.params[layer.index]
        z = layer.affine(below.value, weight) + (0 if bias is None else layer.spread(bias))
        a = ACTIVATIONS[layer.activation].function(z)
        parameters = Layer(double(weight), None if bias is None else double(bias))
        e_z, e_a = forward_error(
            self.r, layer, double(below.value), below.error, double(z), double(a), parameters, self.tail
        )  # fmt: skip
        return _Units(z, e_z, _Known(a, e_a))

    def _forward(self, shown: list[_Gradient]) -> tuple[list[_Known], list[_Units]]:
        """Compute each layer's outputs, and the target's own inputs of each layer: recovered where that is sharper."""
        inputs, units = [_Known(self.inputs, np.zeros(self.inputs.shape))], []
        for layer in self.layers:
            units.append(self._outputs(layer, inputs[-1]))
            above = layer.index + 1
            computed = units[-1].a
            if above < len(self.layers):
                recovered = _recovered_inputs(shown[above], self.r)
                sharper = recovered is not None and _norm(recovered.error) < _norm(computed.error)
                # What does not agree with the computed outputs comes from a mistake in the gradient above.
                if recovered is not None and sharper and recovered.agrees(computed):
                    computed = recovered
            inputs.append(computed)
        return inputs, units

    def _delta(
        self, layer: LinearLayer, d_a: _Known, units: _Units, known: _Known | None
    ) -> _Known:
        """Compute δ of a layer from the target's own ∂loss/∂a; its slope from the target's own outputs if `known`."""
        z, e_z, a = units.z, units.e_z, units.a
        bounds, function = ACTIVATION_BOUNDS[layer.activation], ACTIVATIONS[layer.activation]
        if known is not None and known is not a and layer.activation != SOFTMAX:
            own = bounds.value(self.r, double(z), np.zeros(z.shape), double(known.value), self.tail)
            # A kink is at 0 of z, and a has the sign of z.
            sure = function.kinked & (np.abs(known.value) > known.error)
            z, e_z = np.where(sure, known.value, z), np.where(sure, 0.0, e_z)
            a = _Known(known.value, known.error + own)
        last = layer is self.layers[-1]
        slope, e_slope = bounds.slope(self.r, z, e_z, a.value, a.error, self.tail)
        size = np.abs(double(d_a.value))
        error = self.r.product(
            size, d_a.error, double(slope), double(e_slope), roundings=3 if last else 1
        )
        error = error + bounds.across(self.r, size, d_a.error, double(a.value), a.error)
        return _Known(d_a.value * slope + function.across(d_a.value, z), error)

    def _gradient(
        self, layer: LinearLayer, below: _Known, delta: _Known, forced: _Known
    ) -> tuple[Layer, Layer]:
        """Compute the bias' gradient from the δ computed here, and the weight's from the forced one; and their E."""
        below_value, u = double(below.value), ROUNDINGS * self.r.u
        size = np.abs(double(forced.value))
        e_weight, _ = gradient_error(self.r, layer, below_value, below.error, size, forced.error)
        weight = layer.weight_grad(below.value, forced.value)
        bias = layer.bias_grad(delta.value)
        e_bias = layer.bias_grad(delta.error)
        e_weight = SAFETY * (e_weight + u * np.abs(double(weight)))
        e_bias = SAFETY * (e_bias * (1 + u) + u * np.abs(double(bias)) + ROUNDINGS * self.r.eta)
        if self.params[layer.index].bias is None:
            return Layer(weight, None), Layer(e_weight, None)
        return Layer(weight, bias), Layer(e_weight, e_bias)


def _shown(grad: Layer, r: Precision, e_grad: Layer | None = None) -> _Gradient:
    """Return a gradient as a program shows it: a few roundings, and `e_grad`, from the products in it."""

    def known(value: Array, extra: Any) -> _Known:
        return _Known(value, ROUNDINGS * (r.u * np.abs(double(value)) + r.eta) + extra)

    weight = known(grad.weight, 0.0 if e_grad is None else e_grad.weight)
    if grad.bias is None:
        return _Gradient(weight, None)
    return _Gradient(weight, known(grad.bias, 0.0 if e_grad is None else e_grad.bias))


def _ratio(top: _Known, bottom: _Known) -> _Known:
    """Divide by one number that is not 0."""
    least = np.abs(double(bottom.value)) - bottom.error
    value = top.value / bottom.value
    error = (top.error + np.abs(double(value)) * bottom.error) / np.where(least > 0, least, np.nan)
    return _Known(value, np.where(least > 0, error, np.inf))


def _at(known: _Known, index: Any) -> _Known:
    return _Known(known.value[index], known.error[index])


def _recovered_inputs(shown: _Gradient, r: Precision) -> _Known | None:
    """Recover a layer's inputs, `(1, fan_in)`: the weight's gradient divided by δ, at its largest entry."""
    if shown.bias is None:
        return None
    unit = np.argmax(np.abs(np.nan_to_num(shown.bias.value)))
    if not shown.bias.value[unit]:
        return None
    found = _ratio(_at(shown.weight, (slice(None), unit)), _at(shown.bias, unit))
    return _Known(found.value[None], found.error[None])


def _own_delta(
    computed: _Known, shown: _Gradient, inputs: _Known, r: Precision
) -> tuple[_Known, _Known]:
    """Return the target's own δ for the layers below, and the one from which the weight's gradient is to be judged.

    It is the bias' gradient, and also the weight's divided by the layer's inputs. If the two differ, one of them is
    wrong, and it is the one that differs from the δ computed here.
    """
    flat = inputs.value.reshape(1, -1), inputs.error.reshape(1, -1)
    entry = np.argmax(np.abs(flat[0][0]))
    of_weight = computed
    if flat[0][0, entry]:
        found = _ratio(_at(shown.weight, entry), _Known(flat[0][0, entry], flat[1][0, entry]))
        of_weight = _Known(found.value[None], found.error[None])
    if shown.bias is None:
        return of_weight, computed
    of_bias = _Known(shown.bias.value[None], shown.bias.error[None])
    if (
        not of_bias.agrees(of_weight)
        and of_weight.agrees(computed)
        and not of_bias.agrees(computed)
    ):
        return of_weight, computed
    return of_bias, of_bias


def _updates(case: Case, judged: _Layers, updated: Params) -> tuple[StepValues, StepValues]:
    """Compute the weights after an update by plain SGD, from the gradients that the update itself shows."""
    wide, rate = oracle_dtype(), case.schedule.learning_rate
    before, after = judged.params, cast(updated, wide)
    grads = map_params(lambda old, new: (old - new) / wide(rate), before, after)
    exact = map_params(lambda g: np.zeros(g.shape), grads)
    e_after, _ = bound_update(
        case.schedule, case.params, grads, exact, {}, case.update + 1, judged.r
    )
    e_grads = map_params(lambda e: e / rate, e_after)
    own = [_shown(g, judged.r, e) for g, e in zip(grads, e_grads, strict=True)]
    expected, bound = judged.gradients(own)
    assert expected.grads is not None
    assert bound.grads is not None
    return (
        replace(
            expected, updated=map_params(lambda w, g: w - wide(rate) * g, before, expected.grads)
        ),
        replace(bound, updated=map_params(lambda e, own: rate * e + own, bound.grads, e_after)),
    )


def _norm(array: Array) -> float:
    return float(np.linalg.norm(array))
