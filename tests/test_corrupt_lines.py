"""Whatever else than a record stands on a line is counted, shown and skipped."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainhealth.errors import LogError
from trainhealth.records import (
    SCHEMA_VERSION,
    Record,
    Skipped,
    StartRecord,
    StepRecord,
    decode_lines,
    encode,
)


def _read(data: bytes) -> list[Record | Skipped]:
    return decode_lines(data, 1)[0]


def _line(**fields: Any) -> bytes:
    return msgspec.json.encode(fields) + b"\n"


GOOD = encode(StepRecord(step=1, time=1.0, train_loss=0.5))

BROKEN = {
    "binary junk": b"\x89PNG\r\x1a\x00\x01\x02",
    "invalid UTF-8": b'{"kind":"event","step":1,"time":1,"event":"\xff\xfe"}',
    "a truncated record": b'{"kind":"step","step":1,"ti',
    "a bare NaN": b'{"kind":"step","step":1,"time":1,"train_loss":NaN}',
    "a bare Infinity": b'{"kind":"step","step":1,"time":1,"train_loss":Infinity}',
    "a word that is no number": b'{"kind":"step","step":1,"time":1,"train_loss":"nan"}',
    "a step that is no integer": b'{"kind":"step","step":1.5,"time":1}',
    "a negative step": b'{"kind":"step","step":-1,"time":1}',
    "a step beyond all counting": b'{"kind":"step","step":123456789012345678901234567890,"time":1}',
    "a number beyond double precision": b'{"kind":"step","step":1,"time":1,"train_loss":1e999}',
    "a missing field": b'{"kind":"step","step":1}',
    "a missing kind": b'{"step":1,"time":1}',
    "a kind that is no text": b'{"kind":7,"step":1,"time":1}',
    "a list": b"[1, 2, 3]",
    "zeros after a power cut": b"\0" * 300,
    "a byte order mark": b'\xef\xbb\xbf{"kind":"end","step":1,"time":1}',
    "two records": GOOD[:-1] + GOOD[:-1],
    "a bit set that is not hexadecimal": b'{"kind":"sample","step":1,"time":1,"layout":0,"dead_units":["0x1G"]}',
    "a dead-unit window of one number": b'{"kind":"sample","step":1,"time":1,"layout":0,"dead_window":[8]}',
    "endless nesting": b'{"kind":"event","step":1,"time":1,"event":"","data":' + b"[" * 9000 + b"]" * 9000 + b"}",
    "a terminal's escape sequence": b"\x1b[2J\x1b[31mgotcha",
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_a_corrupt_line_is_counted_with_its_number_and_shown(broken: bytes) -> None:
    """Never swallowed, never the end of reading: its neighbours are read."""
    before, skipped, after = _read(GOOD + broken + b"\n" + GOOD)
    assert isinstance(before, StepRecord)
    assert isinstance(after, StepRecord)
    assert isinstance(skipped, Skipped)
    assert skipped.line == 2
    assert skipped.reason
    assert skipped.text
    assert skipped.text.isprintable()
    assert len(skipped.text) <= 500


def test_a_record_over_two_lines_is_two_corrupt_lines() -> None:
    """Lines are the frame of the format: otherwise what is read would depend on how the bytes came in."""
    records = _read(b'{"kind":"end",\n"step":1,"time":1}\n')
    assert [record.line for record in records if isinstance(record, Skipped)] == [1, 2]


@pytest.mark.parametrize("torn", [b'{"kind":"step","step":99,"ti', b"\0" * 50])
def test_the_start_of_a_resumed_run_behind_a_torn_line_is_read(torn: bytes) -> None:
    """A killed process leaves half a line without an end; the next one appends to it."""
    start = StartRecord(step=90, time=1.0, resumed=True)
    skipped, record = _read(torn + encode(start))
    assert record == start
    assert isinstance(skipped, Skipped)
    assert skipped.line == 1


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"  \n"])
def test_blank_lines_and_carriage_returns_do_no_harm(end: bytes) -> None:
    """A log that went through Windows or an editor is the same log."""
    assert len(_read(end + GOOD[:-1] + end + end + GOOD[:-1] + end)) == 2


def test_unknown_kinds_and_fields_are_read_without_complaint() -> None:
    """A newer writer of the same schema may add both."""
    newer = _line(kind="histogram", step=1, time=1, bins=[1, 2])
    more = _line(kind="step", step=2, time=1, train_loss=0.5, mood="good")
    records = _read(GOOD + newer + more)
    assert [record.step for record in records if isinstance(record, StepRecord)] == [1, 2]
    assert len(records) == 2


@pytest.mark.parametrize("fields", [{}, {"rank": "zero"}], ids=["known form", "changed form"])
def test_a_newer_schema_is_an_error_that_names_line_and_versions(fields: dict[str, Any]) -> None:
    """Even where the newer start record has another form."""
    line = _line(kind="start", step=0, time=0, schema_version=SCHEMA_VERSION + 1, **fields)
    with pytest.raises(LogError, match=r"line 5: the log has schema version 2, this trainhealth reads up to 1"):
        decode_lines(GOOD + line, 4)


@given(st.lists(st.sampled_from([GOOD, b"\n", *(line + b"\n" for line in BROKEN.values())]), max_size=8))
def test_lines_read_together_or_one_by_one_are_the_same(lines: list[bytes]) -> None:
    """The fast path over many lines and the slow one over each never differ."""
    one_by_one = [record for number, line in enumerate(lines, 1) for record in decode_lines(line, number)[0]]
    assert decode_lines(b"".join(lines), 1) == (one_by_one, len(lines))
