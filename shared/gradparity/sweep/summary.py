"""Sum up how often and how soon a setting succeeds: rates with Wilson's interval, quantiles over all members."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from .members import Member, loss_epochs
from .plan import Setting

QUANTILES = (0.1, 0.5, 0.9)
_Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, eq=False)
class SettingResult:
    """A setting with all its members, by seed."""

    setting: Setting
    members: Sequence[Member]

    @property
    def epochs_to_success(self) -> np.ndarray:
        """The epochs that each member needs to succeed; infinite if it never does."""
        found = [member.epochs_to_success for member in self.members]
        return np.array([math.inf if epochs is None else epochs for epochs in found])

    @property
    def losses(self) -> dict[int, np.ndarray]:
        """The losses of all members, by epoch; infinite if not finite."""
        columns = zip(*(member.losses for member in self.members), strict=True)
        return {
            epoch: np.array([math.inf if loss is None else loss for loss in column])
            for epoch, column in zip(loss_epochs(self.setting.experiment), columns, strict=True)
        }

    def summary(self) -> dict[str, Any]:
        """Return the numbers for JSON. Quantiles are over all members: None if too few succeed."""
        members, successes = len(self.members), sum(one.succeeded for one in self.members)
        epochs = quantiles(self.epochs_to_success)
        medians = {str(epoch): quantiles(losses)[0.5] for epoch, losses in self.losses.items()}
        return {
            "setting": dict(self.setting.values),
            "members": members,
            "successes": successes,
            "success_rate": successes / members,
            "interval_95": wilson(successes, members),
            "epochs_to_success": {f"{q:.0%}": value for q, value in epochs.items()},
            "median_loss": medians,
            "diverged": sum(one.diverged for one in self.members),
            "dead": sum(one.dead for one in self.members),
        }


def wilson(successes: int, members: int) -> tuple[float, float]:
    """Return the 95 % interval of a success rate (Wilson 1927)."""
    rate, z2 = successes / members, _Z**2 / members
    centre = rate + z2 / 2
    reach = math.sqrt(z2 * (rate * (1 - rate) + z2 / 4))
    low = (centre - reach) / (1 + z2) if successes else 0.0
    high = (centre + reach) / (1 + z2) if successes < members else 1.0
    return low, high


def difference(one: tuple[int, int], other: tuple[int, int]) -> tuple[float, float]:
    """Return the 95 % interval of the difference of two rates, each (successes, members) (Newcombe 1998, method 10)."""
    p, q = (successes / members for successes, members in (one, other))
    (low_p, high_p), (low_q, high_q) = wilson(*one), wilson(*other)
    low = p - q - math.hypot(p - low_p, high_q - q)
    high = p - q + math.hypot(high_p - p, q - low_q)
    return low, high


def quantiles(values: np.ndarray) -> dict[float, float | None]:
    """Return the smallest value that is not exceeded by this share of `values`; None if it is infinite."""
    found = np.quantile(values, QUANTILES, method="inverted_cdf")
    return {
        q: float(value) if math.isfinite(value) else None
        for q, value in zip(QUANTILES, found, strict=True)
    }


HEADINGS = ("setting", "succeeded", "rate (95 %)", "epochs 10/50/90 %", "loss", "dead", "diverged")


def row(result: SettingResult) -> tuple[str, ...]:
    """Return a setting's row of the table with `HEADINGS`."""
    found = result.summary()
    low, high = found["interval_95"]
    epochs = ("-" if e is None else f"{e:.0f}" for e in found["epochs_to_success"].values())
    *_, loss = found["median_loss"].values()
    return (
        result.setting.label,
        f"{found['successes']}/{found['members']}",
        f"{found['success_rate']:.1%} ({100 * low:.0f}-{100 * high:.0f})",
        "/".join(epochs),
        "-" if loss is None else f"{loss:.2g}",
        str(found["dead"]),
        str(found["diverged"]),
    )
