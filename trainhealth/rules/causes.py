"""Cause before symptom: which illness explains which, when, and the order in which a person should read."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Set
from typing import NamedTuple

from trainhealth.findings import Finding
from trainhealth.series import RunView


class Edge(NamedTuple):
    """`cause` explains `symptom`, if it began no later than `slack` of the run after it."""

    cause: str
    symptom: str
    why: str
    slack: float = 0.1  # a cause is often noticed a little later than its symptom (share of the run's steps)
    from_step: int = 0  # a symptom that was there earlier has another cause


# The learning rate acts from the first update on: what is wrong at step 0 was wrong before it.
GRAPH = (
    Edge("OP01", "LS01", "steps too large for the curvature end in overflow (Tr1: 'cost explodes')", from_step=1),
    Edge("OP01", "LS02", "steps too large for the curvature raise the loss (Tr1, L16)"),
    Edge("OP01", "AC01", "one large step pushes a unit's bias below all data: it never fires again (Tr1)", from_step=1),
    Edge("OP01", "AC02", "large steps drive sigmoid and tanh into their flat parts (Opt)", from_step=1),
    Edge("OP01", "GE02", "a rate that is too high stops at a high loss (L16, Opt)"),
    Edge("LS02", "LS01", "a loss that diverges ends in overflow"),
    Edge("LS01", "AC01", "after a NaN every unit's output is NaN or zero", 0.0),
    Edge("LS01", "GE02", "nothing is learnt after a NaN", 1.0),
    Edge("LS02", "GE02", "a diverged loss is poor on both splits", 1.0),
    Edge("IN01", "OP02", "vanishing signals make vanishing gradients: the rate is not at fault (Tr1, Reg)", 1.0),
    Edge("IN01", "AC01", "where the signal has faded, its bias decides whether a unit ever fires (Tr1)", 1.0),
    Edge("IN01", "GE02", "a signal that vanishes with depth can't be learnt from (Tr1, Reg)", 1.0),
    Edge("AC01", "GE02", "dead units are capacity that is gone (Tr1)", 1.0),
    Edge("AC02", "OP02", "saturated units kill the gradient: the rate is not at fault (Tr1)", 1.0),
    Edge("AC02", "GE02", "saturated units kill the gradient (Tr1)", 1.0),
    Edge("OP02", "GE02", "training at this rate has hardly begun (Tr1)", 1.0),
)


def link_causes(findings: Iterable[Finding], run: RunView) -> list[Finding]:
    """Return the findings with `caused_by` filled in from the graph, the causes in reading order.

    A cause must not begin after its symptom.
    """
    found = list(findings)
    length = max(run.last_step, 1)
    causes_of = [_causes(symptom, found, length) for symptom in found]
    explained = {symptom.id for symptom, causes in zip(found, causes_of, strict=True) if causes}
    return [
        dataclasses.replace(symptom, caused_by=tuple(dict.fromkeys(cause.id for cause in _ordered(causes, explained))))
        for symptom, causes in zip(found, causes_of, strict=True)
    ]


def _causes(symptom: Finding, found: Iterable[Finding], length: int) -> list[Finding]:
    return [
        cause
        for cause in found
        for edge in GRAPH
        if (edge.cause, edge.symptom) == (cause.code, symptom.code)
        and cause.first_step <= symptom.first_step + edge.slack * length
        and symptom.first_step >= edge.from_step
    ]


def in_reading_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return causes first, then by severity, confidence and time."""
    found = tuple(findings)
    return _ordered(found, {finding.id for finding in found if finding.caused_by})


def _ordered(findings: Iterable[Finding], explained: Set[str]) -> tuple[Finding, ...]:
    """Return the findings in reading order; `explained` are the ids of those that have a cause."""
    return tuple(
        sorted(
            findings,
            key=lambda f: (f.id in explained, f.severity.rank, f.confidence.rank, f.first_step, f.code, f.place),
        )
    )
