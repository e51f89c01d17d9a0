"""Two runs beside each other: findings that went and came, where curves part, what was set differently, a verdict."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from trainhealth import curves
from trainhealth.diagnosis import Report
from trainhealth.findings import Finding, Severity
from trainhealth.partings import COMPARED, ERRORS, Parting, level, partings
from trainhealth.records import LayerEntry, ParameterEntry, RunInfo
from trainhealth.rules.base import number
from trainhealth.series import RunView
from trainhealth.signals import HIGHER_IS_BETTER

LEARNT = 0.2  # share of the first loss by which a run has learnt something


class Verdict(StrEnum):
    """What became of it."""

    FIXED = "fixed"  # all that was wrong has gone, nothing of its weight is there now, the result is no worse
    BETTER = "better"
    SAME = "same"
    MIXED = "mixed"  # some things better, some worse
    WORSE = "worse"
    UNDECIDED = "undecided"  # there is nothing that both runs logged in the same unit


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting, or a layer, that differs; None where one of the runs has none of that name."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True, eq=False)
class Comparison:
    """All that differs between two runs, and what follows from it."""

    before: Report
    after: Report
    gone: tuple[Finding, ...]
    came: tuple[Finding, ...]
    stayed: tuple[Finding, ...]  # as the second run has them
    unmatched: tuple[Finding, ...]  # of rules that could not decide in the other run: neither gone nor come
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
            "findings": {name: [finding.to_dict() for finding in findings] for name, findings in self.groups().items()},
            "curves": [{name: _json(value) for name, value in asdict(curve).items()} for curve in self.curves],
            "settings": [{name: _json(value) for name, value in asdict(item).items()} for item in self.settings],
            "layers": [asdict(item) for item in self.layers],
        }

    def groups(self) -> dict[str, tuple[Finding, ...]]:
        """Return the findings of both runs by what became of them."""
        return {"gone": self.gone, "came": self.came, "stayed": self.stayed, "unmatched": self.unmatched}

    def to_json(self) -> str:
        """Return the document that ``trainhealth compare --format json`` prints."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n"


def compare(before: Report, after: Report) -> Comparison:
    """Return what the second run has that the first has not, and the other way round.

    Only a rule that could decide in both runs makes a finding gone or come. A run that has not ended (as far as its
    log says) is compared with the other one as it was at the same step.
    """
    known, now = ({finding.code for finding in report.findings} for report in (before, after))
    unsure_before, unsure_after = ({item.code for item in report.not_checked} for report in (before, after))
    lost = [finding for finding in before.findings if finding.code not in now]
    new = [finding for finding in after.findings if finding.code not in known]
    gone = tuple(finding for finding in lost if finding.code not in unsure_after)
    came = tuple(finding for finding in new if finding.code not in unsure_before)
    stayed = tuple(finding for finding in after.findings if finding.code in known)
    unmatched = tuple(finding for finding in (*lost, *new) if finding not in (*gone, *came))
    first, second = before.run.view, after.run.view
    end = _common_end(first, second)
    found = tuple(partings(first, second, end))
    still_there = tuple(finding for finding in after.findings if finding not in came)
    crashes = tuple("" if view.error is None else view.error.type for view in (first, second))
    verdict, because = _verdict(gone, came, stayed, still_there, crashes, found)
    if unsure := _serious(unmatched):
        because += f" {_names(unsure)} could be judged in one of the runs only."
    if end < max(first.last_step, second.last_step):
        because += (
            f" Curves count up to step {end:,}: one log goes no further, and does not say that the run has ended."
        )
    tasks = [_seen(view).get("task") for view in (first, second)]
    if all(tasks) and tasks[0] != tasks[1]:
        because += f" The tasks differ: {tasks[0]} before, {tasks[1]} now."
    return Comparison(
        before,
        after,
        gone,
        came,
        stayed,
        unmatched,
        found,
        tuple(_settings(first, second)),
        tuple(_layers(first, second)),
        verdict,
        because,
        _suspicion(first, second),
    )


def _common_end(before: RunView, after: RunView) -> int:
    """Return the last step that counts: where one run goes on, what the other did later says nothing about it."""
    shorter, longer = sorted((before, after), key=lambda view: view.last_step)
    return longer.last_step if shorter.ended or shorter.error else shorter.last_step


# --- settings and layers ---


def _settings(before: RunView, after: RunView) -> Iterator[Difference]:
    one, other = (settings_of(view.info) | _seen(view) for view in (before, after))
    for name in dict.fromkeys((*one, *other)):
        if one.get(name) != other.get(name):
            yield Difference(name, one.get(name), other.get(name))


def _seen(view: RunView) -> dict[str, Any]:
    """Return the task and the loss, which hooks see where the script does not tell."""
    seen = {name: view.facts.get(f"loss_{name.partition(' ')[2]}") for name in ("loss function", "loss reduction")}
    return {"task": view.info.task or view.facts.get("task"), **seen}


def settings_of(info: RunInfo) -> dict[str, Any]:
    """Return all that was set, by name."""
    found: dict[str, Any] = {"model": info.model or None, "parameters": info.parameters or None, "task": info.task}
    for optimizer in info.optimizers:
        prefix = f"{optimizer.name}." if optimizer.name else ""
        found[f"{prefix}optimizer"] = optimizer.type
        for position, group in enumerate(optimizer.groups):
            place = f"{prefix}optimizer." if len(optimizer.groups) == 1 else f"{prefix}optimizer.group {position}."
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
    gone: tuple[Finding, ...],
    came: tuple[Finding, ...],
    stayed: tuple[Finding, ...],
    still_there: tuple[Finding, ...],  # in the second run, whether or not the first could be judged by their rules
    crashes: tuple[str, ...],  # what each of the two runs raised; "": nothing
    found: tuple[Parting, ...],
) -> tuple[Verdict, str]:
    healed, ill, left = _serious(gone), _serious(came), _serious(stayed)
    result = _result(found)
    change = result.decided if result is not None else 0
    lost = f"{_names(healed)} {'has' if len(healed) == 1 else 'have'} gone" if healed else ""
    new = f"{_names(ill)} {'has' if len(ill) == 1 else 'have'} come" if ill else ""
    same = f"{_names(left)} {'has' if len(left) == 1 else 'have'} stayed" if left else ""
    ends = _ends(*crashes)
    because = f"{', '.join(part for part in (lost, new, same, ends, _told(result)) if part)}."
    mended, broken = bool(crashes[0]) > bool(crashes[1]), bool(crashes[1]) > bool(crashes[0])
    good, bad = bool(healed) or mended or change > 0, bool(ill) or broken or change < 0
    if good and bad:
        return Verdict.MIXED, because
    if good:
        whole = (healed or mended) and not _serious(still_there) and not crashes[1]
        return Verdict.FIXED if whole else Verdict.BETTER, because
    if bad:
        return Verdict.WORSE, because
    if result is None:
        return Verdict.UNDECIDED, "No curve means the same in both runs, and no finding went or came for sure."
    return Verdict.SAME, f"No finding of weight went or came, and {_told(result)}."


def _ends(before: str, after: str) -> str:
    """Say which of the runs ended in an exception."""
    if before and after:
        return f"{after} has ended it again" if before == after else f"{after} has ended it, and {before} the first run"
    return f"{after} has ended it" if after else f"{before}, which ended the first run, has gone" if before else ""


def _result(found: tuple[Parting, ...]) -> Parting | None:
    """Return the curve by which the runs are judged: that of validation where there is one, else that of training.

    The accuracy goes before the loss: a cross entropy also rises by overconfidence alone, while no answer changes.
    """
    by_name = {parting.signal: parting for parting in found}
    return next((by_name[name] for name in COMPARED if name in by_name), None)


def _serious(findings: tuple[Finding, ...]) -> list[Finding]:
    return [finding for finding in findings if finding.severity is not Severity.NOTE]


def _names(findings: list[Finding]) -> str:
    names = [finding.name for finding in findings]
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def _told(parting: Parting | None) -> str:
    if parting is None:
        return ""
    chance = "" if parting.decided else ", which another seed may do as well"
    if not (math.isfinite(parting.before) or math.isfinite(parting.after)):
        return f"{parting.signal} is not finite at the end of either"
    before, after = level_words(parting.before), level_words(parting.after)
    if before == after:
        return f"{parting.signal} ends at {after} in both"
    return f"{parting.signal} ends at {after} instead of {before}{chance}"


def level_words(level: float) -> str:
    """Return the level of a curve as people read it.

    >>> level_words(0.123456), level_words(math.nan)
    ('0.1235', 'NaN')
    """
    return f"{level:.4g}" if math.isfinite(level) else number(level)


def _suspicion(before: RunView, after: RunView) -> str | None:
    """Return what the second run's data look like where it memorises what the first one understood."""
    if before.info.model != after.info.model:
        return None
    for name in ("validation_loss", "validation_accuracy"):
        one, other = before.series(name).finite(), after.series(name).finite()
        if min(len(one), len(other)) < 3:
            continue
        sign = 1 if name in HIGHER_IS_BETTER else -1
        learnt = sign * (level(one) - float(one.values[0])) > ERRORS * curves.noise(one)
        better = sign * (float(np.max(sign * other.values) * sign) - float(other.values[0]))
        nothing = better <= 0.1 * abs(level(one) - float(one.values[0]))
        train = after.series("train_loss").finite()
        trained = len(train) > 3 and level(train) < (1 - LEARNT) * float(np.median(train.values[:3]))
        if learnt and nothing and trained:
            return (
                f"The second run lowers its train_loss to {level(train):.3g} and gains nothing on {name}, where the "
                f"first one went from {float(one.values[0]):.3g} to {level(one):.3g}: its labels may be shuffled, or "
                "its inputs and labels out of step."
            )
    return None


def _json(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    return value if isinstance(value, str | int | float | bool | None) else str(value)
