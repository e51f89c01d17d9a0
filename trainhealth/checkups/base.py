"""What a check is: a name, its place in the order, and one function from the subject to what it has found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from trainhealth.checkups.subject import Subject
from trainhealth.figures import Figure
from trainhealth.findings import Finding, NotChecked
from trainhealth.rules.base import Fault


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check says: findings, what it left out and why, pictures, and values to use."""

    findings: tuple[Finding, ...] = ()
    not_checked: tuple[NotChecked, ...] = ()
    figures: tuple[Figure, ...] = ()
    advice: Mapping[str, Any] = field(default_factory=dict)  # name -> JSON value, such as learning_rate -> 0.01
    documents: Mapping[str, str] = field(default_factory=dict)  # file name -> text, such as plan.md


class Check:
    """One look at the subject.

    A subclass is one file ``checkups/<name with underscores>.py``. Where a rule of ``rules/`` already decides, the
    check names its code in `rules`, and that rule judges the watched start of the training (`Subject.diagnosed`);
    what only the checkup can see is a `Fault` of ``checkups/faults/``. `run` works on what `Subject.fresh` gives, and
    stops when `Subject.time_left` is spent: it then says in `not_checked` what it has left out.
    """

    name: ClassVar[str]  # what --only and --skip take
    title: ClassVar[str]  # in a few words, for the progress bar and the verdict: "data"
    order: ClassVar[int]  # the place among the checks: those that others build on come first
    share: ClassVar[float] = 1.0  # of the time, against the other checks' shares
    needs_gradient: ClassVar[bool] = True  # it is not run where the loss has none
    rules: ClassVar[tuple[str, ...]] = ()
    faults: ClassVar[tuple[type[Fault], ...]] = ()

    def run(self, subject: Subject) -> Outcome:
        """Return what the check has found."""
        raise NotImplementedError  # abstract: only subclasses are run


def not_checked(fault: type[Fault], because: str) -> NotChecked:
    """Return why `fault` could not be decided."""
    return NotChecked(because, fault.code, fault.name)
