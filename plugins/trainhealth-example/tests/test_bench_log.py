"""Bench logs: what every reader promises, and what this format's lines mean."""

from __future__ import annotations

import math
from pathlib import Path

from trainhealth.records import EvaluationRecord, Skipped
from trainhealth.testing import check_reader, read_in_pieces
from trainhealth_example.bench_log import BenchLogReader


def read(data: bytes) -> list[object]:
    return list(read_in_pieces(BenchLogReader, data, ()))


def test_it_keeps_every_promise_of_a_reader() -> None:
    """Any cutting of the bytes, junk, torn lines: the public kit checks them."""
    check_reader(BenchLogReader)


def test_values_stand_at_their_step_under_their_signal() -> None:
    """Decimal commas and NaN are numbers."""
    records = [record for record in read(BenchLogReader.sample[1]) if isinstance(record, EvaluationRecord)]
    assert [record.step for record in records] == [0, 1, 1, 2]
    assert [list(record.values) for record in records] == [
        ["train_loss"], ["train_loss"], ["validation_loss"], ["train_loss"],
    ]  # fmt: skip
    assert records[1].values["train_loss"] == 2.2841
    assert math.isnan(float(records[3].values["train_loss"]))


def test_a_line_that_says_something_else_is_skipped_and_told() -> None:
    """With its number and reason; the rest is read."""
    skipped = [
        record for record in read(b"#bench 1 a\n0 train 1,0\n1 test 1,0\nhello\n") if isinstance(record, Skipped)
    ]
    assert [record.line for record in skipped] == [3, 4]


def test_other_files_are_left_to_other_readers(tmp_path: Path) -> None:
    """Sureness is zero without the mark."""
    assert BenchLogReader.sniff(b"0 train 2,3\n", "a.bench") == 0.0
