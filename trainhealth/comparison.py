"""Two runs beside each other: findings that went and came, where curves part, what was set differently, a verdict."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any

import numpy as np

from trainhealth import curves
from trainhealth.diagnosis import Report
from trainhealth.findings import Finding, Severity
from trainhealth.records import LayerEntry, ParameterEntry, RunInfo
from trainhealth.series import RunView, Series
from trainhealth.signals import HIGHER_IS_BETTER

COMPARED = ("validation_loss", "validation_accuracy", "train_loss", "train_accuracy")
ERRORS = 3.0  # standard errors from which two levels differ: one pair in 400 by chance
MATTERS = 0.01  # of the level: a difference that is real and smaller is told, and decides nothing
BINS = 16  # stretches in which two curves are compared
LEARNT = 0.2  # share of the first loss by which a run has learnt something


class Verdict(StrEnum):
    """What became of it."""

    FIXED = "fixed"  # what was wrong has gone, nothing of its weight has come, the result is no worse
    BETTER = "better"
    SAME = "same"
    MIXED = "mixed"  # some things better, some worse
    WORSE = "worse"
    UNDECIDED = "undecided"  # there is nothing that both runs logged


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting, or a layer, that differs; None where one of the runs has none of that name."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Parting:
    """Two curves of one signal: their last levels, how sure each is, and the step from which they stay apart."""

    signal: str
    before: float
    after: float
    error: float  # standard error of the difference, in the signal's unit; NaN for too few values
    step: int | None  # None: they never part for good

    @property
    def gain(self) -> float:
        """By how much the second run is better, in the signal's unit; negative where it is worse."""
        difference = self.after - self.before
        return difference if self.signal in HIGHER_IS_BETTER else -difference

    @property
    def decided(self) -> int:
        """1 where the second run is better beyond noise and by what matters, -1 where it is worse, else 0."""
        if math.isnan(self.gain):
            return math.isfinite(self.after) - math.isfinite(self.before)
        least = max(ERRORS * self.error if math.isfinite(self.error) else 0.0, MATTERS * abs(self.before))
        return 0 if abs(self.gain) <= least else 1 if self.gain > 0 else -1


@dataclass(frozen=True, eq=False)
class Comparison:
    """All that differs between two runs, and what follows from it."""

    before: Report
    after: Report
    gone: tuple[Finding, ...]
    came: tuple[Finding, ...]
    stayed: tuple[Finding, ...]  # as the second run has them
    curves: tuple[Parting, ...]
    settings: tuple[Difference, ...]
    layers: tuple[Difference, ...]
    verdict: Verdict
    because: str  # the verdict in a sentence
    suspicion: str | None  # what no single run shows

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types; numbers that are not finite as the strings that the log uses."""
        return {
            "schema_version": 1,
            "before": self.before.run.path,
            "after": self.after.run.path,
            "verdict": str(self.verdict),
            "because": self.because,
            "suspicion": self.suspicion,
            "findings": {
                name: [finding.to_dict() for finding in findings]
                for name, findings in (("gone", self.gone), ("came", self.came), ("stayed", self.stayed))
            },
            "curves": [{name: _json(value) for name, value in asdict(curve).items()} for curve in self.curves],
            "settings": [{name: _json(value) for name, value in asdict(item).items()} for item in self.settings],
            "layers": [asdict(item) for item in self.layers],
        }

    def to_json(self) -> str:
        """Return the document that ``trainhealth compare --format json`` prints."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n"


def compare(before: Report, after: Report) -> Comparison:
    """Return what the second run has that the first has not, and the other way round."""
    known = {finding.code for finding in before.findings}
    now = {finding.code for finding in after.findings}
    gone = tuple(finding for finding in before.findings if finding.code not in now)
    came = tuple(finding for finding in after.findings if finding.code not in known)
    stayed = tuple(finding for finding in after.findings if finding.code in known)
    first, second = before.run.view, after.run.view
    partings = tuple(_partings(first, second))
    verdict, because = _verdict(gone, came, partings)
    return Comparison(
        before,
        after,
        gone,
        came,
        stayed,
        partings,
        tuple(_settings(first.info, second.info)),
        tuple(_layers(first, second)),
        verdict,
        because,
        _suspicion(first, second),
    )


# --- curves ---


def _partings(before: RunView, after: RunView) -> Iterator[Parting]:
    same_loss = before.facts.get("loss_function") == after.facts.get("loss_function")
    for name in COMPARED:
        one, other = curves.clean(before.series(name)), curves.clean(after.series(name))
        if not (before.has(name) and after.has(name)) or (name.endswith("_loss") and not same_loss):
            continue
        if not (len(one) and len(other)):  # NaN from the beginning
            yield Parting(name, _last(one), _last(other), math.nan, None)
            continue
        shift = _end_shift(one, other)
        nan = not math.isfinite(after.series(name).values[-1])
        yield Parting(name, _last(one), math.nan if nan else _last(other), shift, _parting_step(one, other))


def _last(series: Series) -> float:
    """Return the median of the last tenth (of at least three values)."""
    return float(np.median(series.values[-max(3, len(series) // 10) :])) if len(series) else math.nan


def _end_shift(one: Series, other: Series) -> float:
    """Return the standard error of the difference between the two last levels."""
    errors = []
    for series in (one, other):
        count = max(3, len(series) // 10)
        # 1.2533: what the median of normal noise has more than its mean
        errors.append(1.2533 * curves.noise(series) / math.sqrt(min(count, len(series))))
    return math.hypot(*errors)


def _parting_step(one: Series, other: Series) -> int | None:
    """Return the step from which one curve stays above the other to the end of what both have; None: none."""
    end = min(one.last_step, other.last_step)
    begin = max(int(one.steps[0]), int(other.steps[0]))
    edges = np.linspace(begin, end + 1, min(BINS, max(end - begin, 1)) + 1)
    signs: list[int] = []
    starts: list[int] = []
    noise = [curves.noise(series) for series in (one, other)]
    for low, high in pairwise(edges.tolist()):
        parts = [s.between(math.ceil(low), math.ceil(high) - 1).values for s in (one, other)]
        if not all(len(part) for part in parts):
            continue
        error = math.hypot(*(1.2533 * n / math.sqrt(len(part)) for n, part in zip(noise, parts, strict=True)))
        difference = float(np.median(parts[1]) - np.median(parts[0]))
        signs.append(int(np.sign(difference)) if abs(difference) > ERRORS * error else 0)
        starts.append(math.ceil(low))
    if not signs or signs[-1] == 0:
        return None
    apart = len(signs)
    while apart and signs[apart - 1] == signs[-1]:
        apart -= 1
    return starts[apart]


# --- settings and layers ---


def _settings(before: RunInfo, after: RunInfo) -> Iterator[Difference]:
    one, other = _set(before), _set(after)
    for name in dict.fromkeys((*one, *other)):
        if one.get(name) != other.get(name):
            yield Difference(name, one.get(name), other.get(name))


def _set(info: RunInfo) -> dict[str, Any]:
    """Return all that was set, by name."""
    found: dict[str, Any] = {"model": info.model, "parameters": info.parameters, "task": info.task}
    for optimizer in info.optimizers:
        prefix = f"{optimizer.name}." if optimizer.name else ""
        found[f"{prefix}optimizer"] = optimizer.type
        for number, group in enumerate(optimizer.groups):
            place = f"{prefix}optimizer." if len(optimizer.groups) == 1 else f"{prefix}optimizer.group {number}."
            found |= {f"{place}{name}": value for name, value in group.items()}
    found |= info.hyperparameters
    return found | {f"{name} version": version for name, version in info.versions.items()}


def _layers(before: RunView, after: RunView) -> Iterator[Difference]:
    one, other = _places(before), _places(after)
    for name in dict.fromkeys((*one, *other)):
        if one.get(name) != other.get(name):
            yield Difference(name, one.get(name), other.get(name))


def _places(view: RunView) -> Mapping[str, str]:
    found: dict[str, str] = {}
    entries: tuple[LayerEntry | ParameterEntry, ...] = (*view.layers, *view.parameters)
    for entry in entries:
        if isinstance(entry, LayerEntry):
            found[entry.name] = f"{entry.type}, {entry.units} units" if entry.units else entry.type
        else:
            frozen = "" if entry.trainable else ", frozen"
            found[entry.name] = f"{' x '.join(map(str, entry.shape)) or 'a number'}{frozen}"
    return found


# --- what follows ---


def _verdict(
    gone: tuple[Finding, ...], came: tuple[Finding, ...], partings: tuple[Parting, ...]
) -> tuple[Verdict, str]:
    healed, ill = _serious(gone), _serious(came)
    result = next((parting for parting in partings if parting.decided), None)
    measured = next(iter(partings), None)
    change = result.decided if result is not None else 0
    told = _told(result or measured)
    lost = f"{_names(healed)} {'has' if len(healed) == 1 else 'have'} gone" if healed else ""
    new = f"{_names(ill)} {'has' if len(ill) == 1 else 'have'} come" if ill else ""
    because = f"{', '.join(part for part in (lost, new, told) if part)}."
    if healed and not ill and change >= 0:
        return Verdict.FIXED, because
    if (healed and (ill or change < 0)) or (ill and change > 0):
        return Verdict.MIXED, because
    if ill or change < 0:
        return Verdict.WORSE, because
    if change > 0:
        return Verdict.BETTER, because
    if measured is None:
        return Verdict.UNDECIDED, "There is no curve that both runs logged, and no finding that one of them lacks."
    return Verdict.SAME, f"No finding of weight went or came, and {told}."


def _serious(findings: tuple[Finding, ...]) -> list[Finding]:
    return [finding for finding in findings if finding.severity is not Severity.NOTE]


def _names(findings: list[Finding]) -> str:
    names = [finding.name for finding in findings]
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def _told(parting: Parting | None) -> str:
    if parting is None:
        return ""
    noise = "" if parting.decided else ", which is within its noise" if parting.error > 0 else ", which is no matter"
    return f"{parting.signal} ends at {parting.after:.4g} instead of {parting.before:.4g}{noise}"


def _suspicion(before: RunView, after: RunView) -> str | None:
    """Return what the second run's data look like where it memorises what the first one understood."""
    if before.info.model != after.info.model:
        return None
    for name in ("validation_loss", "validation_accuracy"):
        one, other = before.series(name).finite(), after.series(name).finite()
        if min(len(one), len(other)) < 3:
            continue
        sign = 1 if name in HIGHER_IS_BETTER else -1
        learnt = sign * (_last(one) - float(one.values[0])) > ERRORS * curves.noise(one)
        better = sign * (float(np.max(sign * other.values) * sign) - float(other.values[0]))
        nothing = better <= 0.1 * abs(_last(one) - float(one.values[0]))
        train = after.series("train_loss").finite()
        trained = len(train) > 3 and _last(train) < (1 - LEARNT) * float(np.median(train.values[:3]))
        if learnt and nothing and trained:
            return (
                f"The second run lowers its train_loss to {_last(train):.3g} and gains nothing on {name}, where the "
                f"first one went from {float(one.values[0]):.3g} to {_last(one):.3g}: its labels may be shuffled, or "
                "its inputs and labels out of step."
            )
    return None


def _json(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    return value if isinstance(value, str | int | float | bool | None) else str(value)
