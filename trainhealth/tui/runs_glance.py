"""A quick look at a run: what run.json says, and the end of the log. However long the run, a millisecond."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trainhealth.following import INFO
from trainhealth.logged_numbers import to_float
from trainhealth.records import (
    EndRecord,
    EpochRecord,
    ErrorRecord,
    Record,
    RunInfo,
    Skipped,
    StartRecord,
    StepRecord,
    decode_info,
    decode_lines,
)
from trainhealth.series import RunView, Series
from trainhealth.tui.runs_row import recent_loss

TAIL = 64 << 10  # bytes that are read of a log's end
LONGEST_TAIL = 4 << 20  # where a step's record does not stand in so much: samples of many layers are long
_HEAD = 1024  # bytes that hold the first record
_STATISTICS = (b'{"kind":"sample"', b'{"kind":"layout"')  # long, and no part of a quick look
_START = b'{"kind":"start"'


@dataclass(frozen=True, eq=False)
class Glance:
    """The end of a run. `view` holds the times of the last steps, and how the log begins and ends; no curves."""

    view: RunView
    step: int
    epoch: int | None
    loss: float | None


def glance(log: Path) -> Glance:
    """Return what the end of a log of ours (``events-<rank>.jsonl``), and the ``run.json`` beside it, tell.

    Raises:
        LogError: the log, or ``run.json``, is of a newer schema, or ``run.json`` is none.
        OSError: a file can't be read.
    """
    info = _info(log.with_name(INFO))
    descriptor = os.open(log, os.O_RDONLY | os.O_NONBLOCK)  # a named pipe fails instead of waiting
    try:
        size, wanted = os.fstat(descriptor).st_size, TAIL
        records = _records(descriptor, size, wanted)
        while not _has_step(records) and wanted < min(size, LONGEST_TAIL):
            wanted *= 8
            records = _records(descriptor, size, wanted)
    finally:
        os.close(descriptor)
    return _seen(records, info)


def _info(path: Path) -> RunInfo:
    try:
        return decode_info(path.read_bytes(), str(path))
    except FileNotFoundError:
        return RunInfo()


def _records(descriptor: int, size: int, wanted: int) -> list[Record | Skipped]:
    """Return the records in the last `wanted` bytes, and the first one of the log; without those of layers."""
    begin = max(size - wanted, 0)
    tail = os.pread(descriptor, wanted, begin)
    tail = tail[: tail.rfind(b"\n") + 1]  # the last line may be half written
    if begin:  # the first line is not whole
        first = os.pread(descriptor, _HEAD, 0)
        first = first[: first.find(b"\n") + 1]
        tail = (first if first.startswith(_START) else b"") + tail[tail.find(b"\n") + 1 :]
    lines = [line for line in tail.splitlines(keepends=True) if not line.startswith(_STATISTICS)]
    return decode_lines(b"".join(lines), 1)[0]


def _has_step(records: list[Record | Skipped]) -> bool:
    return any(isinstance(record, StepRecord | EpochRecord) for record in records)


def _seen(records: list[Record | Skipped], info: RunInfo) -> Glance:
    steps: list[StepRecord] = []
    ended, error, epoch, pid, host, last_time = None, None, None, 0, "", 0.0
    for record in records:
        match record:
            case Skipped():
                continue
            case StartRecord():  # what stands before it is history
                ended, error, pid, host = None, None, record.pid, record.host
            case StepRecord():
                steps.append(record)
            case EpochRecord():
                epoch = record.epoch
            case ErrorRecord():
                error = record
            case EndRecord():
                ended = record.reason
        last_time = max(last_time, record.time)
    numbers = np.array([step.step for step in steps], np.int64)
    times = Series("time", numbers, np.array([step.time for step in steps], np.float64))
    view = RunView(info=info, times=times, ended=ended, error=error, pid=pid, host=host, last_time=last_time)
    losses = [to_float(step.train_loss) for step in steps if step.train_loss is not None]
    loss = recent_loss(np.array(losses, np.float64), view.last_step + 1)
    return Glance(view, view.last_step, epoch, loss)
