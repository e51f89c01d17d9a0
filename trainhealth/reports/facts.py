"""What every report for people says of a run, a piece of evidence, and of what was not checked."""

from __future__ import annotations

from collections.abc import Iterable

from trainhealth.findings import Evidence, NotChecked
from trainhealth.reports.page import count
from trainhealth.series import RunView


def run_facts(view: RunView) -> str:
    """Say in a line what was trained, how far, and how it ended."""
    facts = [
        view.info.model,
        ", ".join(optimizer.type for optimizer in view.info.optimizers),
        count(view.series("train_loss").last_step + 1, "step"),
        count(len(view.epochs), "epoch"),
        f"raised {view.error.type}" if view.error else "" if view.ended else "not ended",
    ]
    return ", ".join(fact for fact in facts if fact)


def place_and_steps(evidence: Evidence) -> tuple[str, str]:
    """Return where a piece of evidence was seen ("run" for no special place), and when."""
    first, last = evidence.first_step, evidence.last_step
    return evidence.place or "run", f"{first}" if first == last else f"{first} to {last}"


def reasons(not_checked: Iterable[NotChecked]) -> list[tuple[str, list[str]]]:
    """Return the reasons, each once, with the names of the rules that it silences."""
    names: dict[str, list[str]] = {}
    for item in not_checked:
        names.setdefault(item.because, []).append(item.name)
    return list(names.items())
