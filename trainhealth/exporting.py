"""A run's series as a log of ours: what ``trainhealth import`` keeps of another tool's log."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from trainhealth.errors import UsageError
from trainhealth.following import INFO
from trainhealth.logged_numbers import Number, to_number
from trainhealth.records import (
    EpochRecord,
    EvaluationRecord,
    EventRecord,
    Record,
    StartRecord,
    encode,
    encode_info,
)
from trainhealth.series import IMPORTED, RunView

FORMAT = "trainhealth"  # of our own log


def records_of(view: RunView) -> Iterator[Record]:
    """Yield the records that make the same scalar series and epochs again; events say where they come from.

    There is none of an end, and none of a step, which has a time of its own: other tools' logs don't say that.
    """
    yield StartRecord(step=0, time=view.last_time)
    message, data = f"from {view.path}, format {view.format}", {"format": view.format}
    yield EventRecord(step=0, time=view.last_time, event=IMPORTED, message=message, data=data)
    yield from view.events
    of_epochs = {(epoch.step, name) for epoch in view.epochs for name in epoch.values}
    points: dict[int, list[dict[str, Number]]] = {}  # a step's values, in as many records as one name has of them
    for name, series in view.scalars.items():
        for step, value in zip(series.steps.tolist(), series.values.tolist(), strict=True):
            if (step, name) in of_epochs:
                continue
            at_step = points.setdefault(step, [])
            place = next((values for values in at_step if name not in values), None)
            if place is None:
                at_step.append(place := {})
            place[name] = to_number(value)
    epochs = {epoch.step: epoch for epoch in view.epochs}
    for step in sorted({*points, *epochs}):
        yield from (EvaluationRecord(step=step, time=view.last_time, values=values) for values in points.get(step, []))
        if step in epochs:
            values = {name: to_number(value) for name, value in epochs[step].values.items()}
            yield EpochRecord(step=step, time=view.last_time, epoch=epochs[step].number, values=values)


def write_run(view: RunView, folder: Path) -> None:
    """Write the view as a run folder.

    Raises:
        UsageError: the run is one of ours, whose layers would be lost; the folder is not empty, or can't be written.
    """
    if view.format == FORMAT or any(event.event == IMPORTED for event in view.events):
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
