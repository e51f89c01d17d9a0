"""Advice that contradicts other advice of the same report: the one that a person reads first stays."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from trainhealth.findings import Change, Finding, Recommendation


def without_contradictions(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings, in their order, without recommendations that turn an earlier finding's setting back.

    Two contradict each other where they change one setting in opposite directions (a higher and a lower learning rate)
    or to different words. A finding's own recommendations are alternatives and stay together.
    """
    decided: dict[str, float | str] = {}
    kept: list[Finding] = []
    for finding in findings:
        advice = tuple(item for item in finding.recommendations if not _contradicts(item, decided))
        kept.append(dataclasses.replace(finding, recommendations=advice))
        for item in advice:
            if item.change is not None:
                decided.setdefault(item.change.parameter, _direction(item.change))
    return tuple(kept)


def _contradicts(advice: Recommendation, decided: dict[str, float | str]) -> bool:
    change = advice.change
    return change is not None and decided.get(change.parameter, _direction(change)) != _direction(change)


def _direction(change: Change) -> float | str:
    """Return 1.0 for up and -1.0 for down; the word that is to be set, where it is one."""
    if isinstance(change.to, str) or not isinstance(change.from_, int | float):
        return str(change.to)
    return 1.0 if change.to > change.from_ else -1.0
