"""Folders of runs for tests: written like those of `watch`, with times that the tests give."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trainhealth.logged_numbers import Number
from trainhealth.records import EndRecord, EpochRecord, Record, RunInfo, StartRecord, StepRecord, encode, encode_info

NOW = 1_795_000_000.0  # seconds since 1970, when the newest record of a run has been written


def records(
    losses: Sequence[float], *, ended: bool = True, accuracy: float | None = None, pid: int = 0
) -> list[Record]:
    """Return the records of a run whose steps are a second apart and whose last one is of NOW."""
    begin = NOW - len(losses) + 1
    steps = [StepRecord(step=step, time=begin + step, train_loss=loss) for step, loss in enumerate(losses)]
    values: dict[str, Number] = {} if accuracy is None else {"validation_accuracy": accuracy}
    return [
        StartRecord(step=0, time=begin, pid=pid),
        *steps,
        *([EpochRecord(step=len(losses), time=NOW, epoch=3, values=values)] if values else []),
        *([EndRecord(step=len(losses), time=NOW)] if ended else []),
    ]


def write_log(folder: Path, content: Sequence[Record], mode: str = "wb") -> Path:
    """Write records to the log of a run, which was written to at the time of the last one; return the log."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "events-0.jsonl"
    with log.open(mode) as file:
        file.write(b"".join(map(encode, content)))
    _date(log, content[-1].time if content else NOW)
    return log


def write_run(
    folder: Path, losses: Sequence[float] = (2.0, 1.0), *, info: dict[str, Any] | None = None, **more: Any
) -> Path:
    """Write a run; return its folder."""
    write_log(folder, records(losses, **more))
    settings = RunInfo(**({"model": "Net", "hyperparameters": {"width": 64}} | (info or {})))
    (folder / "run.json").write_bytes(encode_info(settings))
    _date(folder / "run.json", NOW - len(losses))
    return folder


def _date(file: Path, time: float) -> None:
    os.utime(file, (time, time))
