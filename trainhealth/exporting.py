"""A run's series as a log of ours: what ``trainhealth import`` keeps of another tool's log."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from trainhealth.errors import UsageError
from trainhealth.following import INFO
from trainhealth.logged_numbers import Number, to_number
from trainhealth.records import (
    EndRecord,
    EpochRecord,
    EvaluationRecord,
    EventRecord,
    Record,
    StartRecord,
    StepRecord,
    encode,
    encode_info,
)
from trainhealth.series import RunView

FORMAT = "trainhealth"  # of our own log
OF_STEPS = ("train_loss", "train_accuracy", "gradient_norm", "learning_rate")


def records_of(view: RunView) -> Iterator[Record]:
    """Yield the records that make the same scalar series and epochs again; events say where they come from."""
    yield StartRecord(step=0, time=view.last_time)
    yield EventRecord(step=0, time=view.last_time, event="imported", message=f"from {view.path}, format {view.format}")
    yield from view.events
    of_epochs = {(epoch.step, name) for epoch in view.epochs for name in epoch.values}
    of_steps = {name for name in OF_STEPS if name in view.scalars and _belongs_to_steps(view, name, of_epochs)}
    points: dict[int, tuple[dict[str, Number], list[dict[str, Number]]]] = {}
    for name, series in view.scalars.items():
        for step, value in zip(series.steps.tolist(), series.values.tolist(), strict=True):
            if (step, name) in of_epochs:
                continue
            stepwise, others = points.setdefault(step, ({}, []))
            if name in of_steps:
                stepwise[name] = to_number(value)
                continue
            place = next((values for values in others if name not in values), None)
            if place is None:
                others.append(place := {})
            place[name] = to_number(value)
    epochs = {epoch.step: epoch for epoch in view.epochs}
    for step in sorted({*points, *epochs}):
        stepwise, others = points.get(step, ({}, []))
        if stepwise:
            yield StepRecord(step=step, time=view.last_time, **stepwise)  # type: ignore[arg-type]  # names of OF_STEPS
        yield from (EvaluationRecord(step=step, time=view.last_time, values=values) for values in others)
        if step in epochs:
            values = {name: to_number(value) for name, value in epochs[step].values.items()}
            yield EpochRecord(step=step, time=view.last_time, epoch=epochs[step].number, values=values)
    yield EndRecord(step=max(view.last_step + 1, 0), time=view.last_time)


def _belongs_to_steps(view: RunView, name: str, of_epochs: set[tuple[int, str]]) -> bool:
    """Tell whether a series has at most one value a step, and none of an epoch: then it is one of steps."""
    steps = view.scalars[name].steps.tolist()
    return len(set(steps)) == len(steps) and not any((step, name) in of_epochs for step in steps)


def write_run(view: RunView, folder: Path) -> None:
    """Write the view as a run folder.

    Raises:
        UsageError: the run is one of ours, whose layers would be lost; the folder is not empty, or can't be written.
    """
    if view.format == FORMAT:
        raise UsageError(
            f"{view.path} is a run of ours already", f"Copy it: {shlex.join(['cp', '-r', view.path, str(folder)])}"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise UsageError(f"{folder}: not empty", "Name a folder that does not exist yet.")
        (folder / INFO).write_bytes(encode_info(view.info))
        with (folder / "events-0.jsonl").open("wb") as log:
            log.writelines(encode(record) for record in records_of(view))
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror or error}", "Name a folder that may be written.") from error
