"""What a diagnosis says: findings with evidence and recommendations, and what could not be checked.

The names of the fields are a contract: the JSON of ``trainhealth check`` has the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """What it costs if the finding is true."""

    CRITICAL = "critical"  # the run is lost, or as good as lost
    WARNING = "warning"  # the result will be clearly worse than it could be
    NOTE = "note"  # worth knowing

    @property
    def rank(self) -> int:
        """0 for the most severe."""
        return list(Severity).index(self)


class Confidence(StrEnum):
    """How often the finding is true when the rule says so."""

    CERTAIN = "certain"  # follows from the data
    LIKELY = "likely"
    HINT = "hint"

    @property
    def rank(self) -> int:
        """0 for the surest."""
        return list(Confidence).index(self)


@dataclass(frozen=True, slots=True)
class Evidence:
    """One observation that the finding rests on: a signal, where, when, what was seen and what health looks like."""

    signal: str
    place: str | None  # layer or parameter; None for the whole run
    first_step: int
    last_step: int
    observed: float
    expected: str  # in words with a number: "about 1e-3", "below 3 x 2.31"
    location: str = ""  # where in the log; the engine fills it in


@dataclass(frozen=True, slots=True)
class Change:
    """A recommendation that a program can apply: set `parameter` of the training script from one value to another."""

    parameter: str
    from_: float | str | None  # "from" in JSON, which Python reserves
    to: float | str


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What to do, with an amount from this run; why; what will be seen if it worked; what may go wrong."""

    action: str
    because: str
    verify: str
    risk: str = ""
    recipe: str | None = None  # name in the recipe book
    change: Change | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """A source, and the claim that it supports."""

    title: str
    claim: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One diagnosis: the fact in `message` (numbers and place, no advice), its evidence and what to do."""

    code: str
    name: str
    severity: Severity
    confidence: Confidence
    message: str
    first_step: int
    evidence: tuple[Evidence, ...]
    recommendations: tuple[Recommendation, ...] = ()
    references: tuple[Reference, ...] = ()
    place: str = "run"  # the first place concerned, or "run"
    caused_by: tuple[str, ...] = field(default=())  # ids of the findings that explain this one

    @property
    def id(self) -> str:
        """``code@place``: the same for the same finding in every diagnosis of the run."""
        return f"{self.code}@{self.place}"

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as JSON types; numbers that are not finite as the strings that the log uses."""
        return {
            "id": self.id,
            "code": self.code,
            "name": self.name,
            "severity": str(self.severity),
            "confidence": str(self.confidence),
            "message": self.message,
            "first_step": self.first_step,
            "evidence": [
                {
                    "signal": e.signal,
                    "place": e.place,
                    "first_step": e.first_step,
                    "last_step": e.last_step,
                    "observed": _json_number(e.observed),
                    "expected": e.expected,
                    "location": e.location,
                }
                for e in self.evidence
            ],
            "recommendations": [
                {
                    "action": r.action,
                    "because": r.because,
                    "verify": r.verify,
                    "risk": r.risk,
                    "recipe": r.recipe,
                    "change": None
                    if r.change is None
                    else {
                        "parameter": r.change.parameter,
                        "from": _json_value(r.change.from_),
                        "to": _json_value(r.change.to),
                    },
                }
                for r in self.recommendations
            ],
            "references": [{"title": r.title, "claim": r.claim, "url": r.url} for r in self.references],
            "caused_by": list(self.caused_by),
        }


@dataclass(frozen=True, slots=True)
class NotChecked:
    """A rule that could not decide: what it lacks, in words that say how to supply it."""

    because: str
    code: str = ""  # the engine fills in code and name
    name: str = ""

    def to_dict(self) -> dict[str, str]:
        """Return it as JSON types."""
        return {"code": self.code, "name": self.name, "because": self.because}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All that the rules said of one run: findings in reading order (causes first), and what was not checked."""

    findings: tuple[Finding, ...] = ()
    not_checked: tuple[NotChecked, ...] = ()


def _json_number(value: float) -> float | int | str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return int(value) if value == int(value) and abs(value) < 1e15 else value


def _json_value(value: float | str | None) -> float | str | None:
    return _json_number(value) if isinstance(value, float) else value
