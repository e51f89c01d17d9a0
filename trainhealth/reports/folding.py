"""Symptoms under their causes: one illness is one block of the report, however many rules it sets off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from trainhealth.findings import Finding


class Illness(NamedTuple):
    """A finding that nothing else explains, and the findings that it explains (directly or through others)."""

    cause: Finding
    symptoms: tuple[Finding, ...]


def fold(findings: Sequence[Finding]) -> tuple[Illness, ...]:
    """Return the illnesses in reading order; every finding stands in exactly one of them."""
    positions = {finding.id: position for position, finding in reversed(list(enumerate(findings)))}
    leaders = [_leader(position, findings, positions) for position in range(len(findings))]
    return tuple(
        Illness(
            findings[leader],
            tuple(f for position, f in enumerate(findings) if leaders[position] == leader != position),
        )
        for leader in dict.fromkeys(leaders)
    )


def _leader(position: int, findings: Sequence[Finding], positions: Mapping[str, int]) -> int:
    """Return the position of the finding at the end of the chain of first causes.

    A ring of causes (rules that explain each other) has no end: its first member in reading order leads it.
    """
    chain = [position]
    while True:
        causes = [positions[cause] for cause in findings[chain[-1]].caused_by if cause in positions]
        if not causes:
            return chain[-1]
        if causes[0] in chain:
            return min(chain[chain.index(causes[0]) :])
        chain.append(causes[0])
