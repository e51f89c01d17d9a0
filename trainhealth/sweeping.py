"""The public way from a table of trials to what it says: `sweep`, and the report that it returns."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from trainhealth.config import load_config
from trainhealth.errors import UsageError
from trainhealth.findings import Finding, NotChecked
from trainhealth.logged_numbers import to_number
from trainhealth.rules.engine import check_options
from trainhealth.rules.search import search_rules
from trainhealth.search.analysis import Search
from trainhealth.search.columns import Goal
from trainhealth.search.optimum import Region
from trainhealth.search.ranges import NextRange
from trainhealth.search.sources import read_search
from trainhealth.search.trials import Value

SCHEMA_VERSION = 1
GOALS = {"max": True, "min": False}


@dataclass(frozen=True, eq=False)
class SweepReport:
    """What a search says: its analysis, and the findings on how it was searched."""

    search: Search
    findings: tuple[Finding, ...]
    not_checked: tuple[NotChecked, ...]

    @cached_property
    def entry(self) -> dict[str, Any]:
        """The search as JSON types (``docs/sweep.md``)."""
        trials = self.search.trials
        best = trials.trials[trials.best] if trials.best >= 0 else None
        return {
            "path": trials.path,
            "score": trials.score,
            "goal": "max" if trials.maximize else "min",
            "trials": len(trials),
            "failed": trials.failed,
            "best": None
            if best is None
            else {
                "trial": best.name,
                "score": best.score,
                "settings": {name: _json(value) for name, value in best.settings.items()},
            },
            "lacking": self.search.lacking,
            "settings": [_setting(self.search, name) for name in _ordered(self.search)],
            "interactions": [
                {"settings": [pair.first, pair.second], "share": round(pair.share, 4)}
                for pair in self.search.interactions
            ],
            "findings": [finding.to_dict() for finding in self.findings],
            "not_checked": [item.to_dict() for item in self.not_checked],
            "notes": list(trials.notes),
        }

    def to_json(self) -> str:
        """Return the same text that ``trainhealth sweep --format json`` prints."""
        document = {"schema_version": SCHEMA_VERSION, "search": self.entry}
        return json.dumps(document, indent=2, allow_nan=False) + "\n"


def sweep(
    path: str | os.PathLike[str],
    *,
    score: str | None = None,
    goal: str | None = None,
    study: str | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> SweepReport:
    """Return what the trials of a search say: which settings matter, where the best lies, where to look next.

    Args:
        path: a table (CSV, JSON lines), an Optuna storage (SQLite or a journal), or a folder of runs.
        score: the column, or for runs the signal, by which trials are compared; found by its name where it is None.
        goal: "max" or "min"; found by the score's name where it is None.
        study: the study in an Optuna storage; the newest where it is None.
        options: names of rules to the options that differ; by default as the project has set them.

    Raises:
        LogError: nothing is there, or it is no table of trials.
        UsageError: the score or its direction can't be told, or an argument is off.
    """
    if goal is not None and goal not in GOALS:
        raise UsageError(f"goal is {goal!r}", 'Pass "max" or "min".')
    trials = read_search(os.fspath(path), Goal(score, None if goal is None else GOALS[goal]), study)
    return judged(Search(trials), load_config().rules if options is None else options)


def judged(search: Search, options: Mapping[str, Mapping[str, Any]]) -> SweepReport:
    """Return the report on an analysed search: what the rules over searches say, the severest first."""
    rules = search_rules()
    own = {rule.name: options[rule.name] for rule in rules if rule.name in options}
    check_options(rules, own)
    findings: list[Finding] = []
    not_checked: list[NotChecked] = []
    for rule in rules:
        with np.errstate(all="ignore"):  # numbers near the largest float are data
            answer = rule().check(search, rule.Options(**own.get(rule.name, {})))
        if isinstance(answer, NotChecked):
            not_checked.append(NotChecked(answer.because, rule.code, rule.name))
        else:
            findings.extend(answer)
    findings.sort(key=lambda finding: (finding.severity.rank, finding.confidence.rank))
    return SweepReport(search, tuple(findings), tuple(not_checked))


def _ordered(search: Search) -> tuple[str, ...]:
    """Return the settings, the weightiest first; in the order of the table where nothing can be said of them."""
    return tuple(influence.name for influence in search.influences) or search.trials.settings


def _setting(search: Search, name: str) -> dict[str, Any]:
    axis = search.axes[name]
    fields: dict[str, Any] = {"name": name, "scale": axis.kind}
    fields["tried"] = list(axis.words) if axis.kind == "words" else [to_number(axis.low), to_number(axis.high)]
    influence = next((one for one in search.influences if one.name == name), None)
    if influence is not None:
        fields |= {
            "alone": round(influence.alone, 4),
            "total": round(influence.total, 4),
            "evidence": round(influence.evidence, 2),
            "matters": influence.matters,
            "best": _region(search.regions[name]) if name in search.regions else None,
            "next": _next(search.next_ranges[name]),
        }
    return fields


def _region(region: Region) -> dict[str, Any]:
    if region.axis.kind == "words":
        return {"shares": {word: round(share, 4) for word, share in region.shares.items()}}
    return {
        "low": _json(region.axis.value(region.low)),
        "high": _json(region.axis.value(region.high)),
        "at_lower_edge": round(region.at_low, 4),
        "at_upper_edge": round(region.at_high, 4),
    }


def _next(coming: NextRange) -> dict[str, Any]:
    fields: dict[str, Any] = {"how": coming.how, "because": coming.because}
    if coming.choices:
        return fields | {"choices": [_json(value) for value in coming.choices]}
    return fields | {"low": coming.low, "high": coming.high}


def _json(value: Value) -> Any:
    return to_number(value) if isinstance(value, float) else value
