"""The first steps: what the watched start says of the optimizer as it is set."""

from __future__ import annotations

from trainhealth.checkups.base import Check, Outcome
from trainhealth.checkups.subject import Subject


class FirstSteps(Check):
    """Do the first updates, made with the optimizer as it is, lead anywhere?"""

    name = "first-steps"
    title = "first steps"
    order = 47
    share = 0.1  # the watched start was made before
    # of the rules on optimizers and losses, those that some dozens of steps are enough for, and that do not judge what
    # belongs to the user's own loop: clipping, zero_grad, schedules
    rules = ("LS02", "OP01", "OP04", "OP05", "OP06", "OP08", "OP12")

    def run(self, subject: Subject) -> Outcome:
        """Ask the rules about the watched start."""
        findings, silent = subject.watched.answers(self.rules)
        return Outcome(findings, silent)
