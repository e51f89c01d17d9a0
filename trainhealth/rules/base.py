"""What a rule is: metadata, options with units and sources, and one pure function over a `RunView`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, ClassVar

from trainhealth.findings import Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.series import RunView

ERROR = "error"  # among what a rule requires: not a signal, but the exception that ended the run
SECTIONS = ("What it detects", "Why it matters", "How it decides", "What to try", "When it is wrong")
TOPICS = (
    "loss",
    "optimization",
    "gradients",
    "activations",
    "initialization",
    "generalization",
    "data",
    "mode",
    "run",
    "search",
)


def option(default: Any, unit: str, source: str) -> Any:
    """Declare one threshold of a rule: its default, its unit, and where the number comes from."""
    return dataclasses.field(default=default, metadata={"unit": unit, "source": source})


class Fault:
    """What a finding can be of: the metadata, and the way to a finding.

    A subclass's docstring has a first line that says what is wrong, and then exactly the sections `SECTIONS`, each a
    line of its own, in this order.
    """

    code: ClassVar[str]
    name: ClassVar[str]
    topic: ClassVar[str]
    severity: ClassVar[Severity]  # the usual one; a finding may differ
    confidence: ClassVar[Confidence]
    since: ClassVar[str]
    references: ClassVar[tuple[Reference, ...]]
    Options: ClassVar[type[Any]]

    def finding(
        self,
        message: str,
        evidence: Iterable[Evidence],
        recommendations: Iterable[Recommendation] = (),
        *,
        severity: Severity | None = None,
        confidence: Confidence | None = None,
        first_step: int | None = None,
        place: str | None = None,
    ) -> Finding:
        """Return a finding of this fault; first step and place default to those of the evidence."""
        shown = tuple(evidence)
        return Finding(
            code=self.code,
            name=self.name,
            severity=severity or self.severity,
            confidence=confidence or self.confidence,
            message=message,
            first_step=min(e.first_step for e in shown) if first_step is None else first_step,
            evidence=shown,
            recommendations=tuple(recommendations)[:3],
            references=self.references,
            place=place or next((e.place for e in shown if e.place), "run"),
        )


class Rule(Fault):
    """One diagnosis from a log.

    A subclass is one file ``rules/<topic>/<name with underscores>.py``. `check` is pure, reads only the signals in
    `requires` (and `uses`), and never raises on data.
    """

    # signals without which it is not checked; "a|b": one of them suffices, be it `ERROR`
    requires: ClassVar[tuple[str, ...]]
    uses: ClassVar[tuple[str, ...]] = ()  # signals that it reads where they are there

    def check(self, run: RunView, options: Any) -> Iterable[Finding] | NotChecked:
        """Return the findings (none: nothing was found), or why the run can't be judged."""
        raise NotImplementedError  # abstract: the engine only meets subclasses


def number(value: float) -> str:
    """Return `value` as people write it: three significant digits, no needless exponent.

    >>> number(0.14), number(1e-3), number(123456.0), number(2.3e-7), number(float("inf"))
    ('0.14', '0.001', '123456', '2.3e-07', 'infinity')
    """
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "infinity" if value > 0 else "-infinity"
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    return f"{value:.0f}" if 1e3 <= abs(value) < 1e6 else f"{value:.3g}"
