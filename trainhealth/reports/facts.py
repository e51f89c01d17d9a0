"""What every report for people says of a run, a piece of evidence, and of what was not checked."""

from __future__ import annotations

from collections.abc import Iterable

from trainhealth.findings import Evidence, NotChecked
from trainhealth.lone_losses import ASSUMED
from trainhealth.readers.rows import ANOTHER_RUN
from trainhealth.reports.page import count
from trainhealth.series import RunView


def run_facts(view: RunView) -> str:
    """Say in a line what was trained, how far, and how it ended (which a foreign log does not say)."""
    ours = view.watched
    runs = max((event.data.get("runs", 0) for event in view.events if event.event == ANOTHER_RUN), default=0)
    assumed = next((event.data["column"] for event in view.events if event.data.get("because") == ASSUMED), "")
    steps, epochs = view.last_step + 1, len(view.epochs)
    facts = [
        "" if ours else view.format,
        f"the last of {runs} runs in this log" if runs else "",
        f"{assumed} taken for the loss" if assumed else "",
        view.info.model,
        ", ".join(optimizer.type for optimizer in view.info.optimizers),
        count(steps, "step") if ours or steps != epochs else "",  # a table of epochs has no other steps
        count(epochs, "epoch") if epochs else "",
        f"raised {view.error.type}" if view.error else "" if view.ended or not ours else "not ended",
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
