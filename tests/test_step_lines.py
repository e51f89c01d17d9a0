"""Lines of steps that are read thousands at once: to the last bit the same as one by one."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.same_view import assert_same_view
from trainhealth.builder import RunBuilder
from trainhealth.logged_numbers import Number
from trainhealth.readers.trainhealth_jsonl import TrainHealthReader
from trainhealth.records import (
    EndRecord,
    EpochRecord,
    EvaluationRecord,
    StartRecord,
    StepRecord,
    decode_lines,
    encode,
    encode_step,
)
from trainhealth.series import RunView
from trainhealth.step_lines import MANY, Portion, decode_portion, steps_of

COUNT = 4 * MANY
FIRST = 1000  # from here on as many steps have numbers of one length, so that all lines are of one shape
SAMPLES = Path(__file__).parent.parent / "sample_logs"


def _step(number: int, rest: str) -> bytes:
    return b'{"kind":"step","step":%d,%s}\n' % (number, rest.encode())


def _log(count: int = COUNT, first: int = FIRST) -> list[bytes]:
    return [encode_step(first + i, 1.7e9 + i / 7, 2.0 / (i + 1)) for i in range(count)]


def _portion(lines: list[bytes]) -> Portion:
    """Return what lines are as columns, which hold what records of the same lines hold."""
    data = b"".join(lines)
    portion, count = decode_portion(data, 1)
    assert isinstance(portion, Portion)
    records = decode_lines(data, 1)[0]
    expected = steps_of([record for record in records if isinstance(record, StepRecord)])
    assert count == len(lines)
    assert portion.others == [record for record in records if not isinstance(record, StepRecord)]
    assert portion.records() == records
    assert portion.steps.numbers.tolist() == expected.numbers.tolist()
    assert portion.steps.times.tobytes() == expected.times.tobytes()
    assert portion.steps.skipped == expected.skipped
    assert portion.steps.values.keys() == expected.values.keys()
    for name, (steps, values) in portion.steps.values.items():
        assert steps.tolist() == expected.values[name][0].tolist()
        np.testing.assert_array_equal(values, expected.values[name][1], name)
        assert np.signbit(values).tolist() == np.signbit(expected.values[name][1]).tolist()
    return portion


def assert_same_either_way(lines: list[bytes]) -> None:
    """Fail where the lines together are anything else than the lines one by one."""
    data = b"".join(lines)
    portion, count = decode_portion(data, 7)
    if isinstance(portion, Portion):
        _portion(lines)
    else:
        assert (portion, count) == decode_lines(data, 7)


def _fed(*chunks: bytes, in_bulk: bool) -> RunView:
    reader, builder = TrainHealthReader(), RunBuilder("run")
    for chunk in chunks:
        for records in reader.portions(chunk) if in_bulk else [reader.feed(chunk)]:
            builder.feed(records)
    return builder.view()


@given(st.randoms(use_true_random=False))
def test_numbers_are_read_to_the_last_bit(source: random.Random) -> None:
    """Of any size and sign, with any number of digits."""
    size = source.choice([1e-30, 1e-5, 1e-4, 1e-2, 1.0, 1e3, 1e8, 1e12])
    digits = source.choice([1, 4, 9, 15, 17])
    losses = [f"{source.gauss(0, 1) * size:.{digits}g}" for _ in range(COUNT)]
    assert_same_either_way(
        [_step(FIRST + i, f'"time":{1.7e9 + i / 7:.3f},"train_loss":{loss}') for i, loss in enumerate(losses)]
    )


def test_steps_of_all_forms_may_stand_among_each_other() -> None:
    """With a rate or not, skipped, of several losses, not finite; epochs and evaluations keep their order."""
    lines = _log()
    for i in range(0, COUNT, 3):
        lines[i] = encode_step(FIRST + i, 1.7e9, 0.5, train_accuracy=i / COUNT, learning_rate=0.1 / (i + 1))
    lines[5] = encode_step(FIRST + 5, 1.7e9, float("nan"))
    several: dict[str, Number] = {"D": 0.5, "G": 0.5}
    lines[50] = encode(StepRecord(step=FIRST + 50, time=1.7e9, train_loss=1.0, losses=several, skipped=True))
    lines.insert(51, encode(EpochRecord(step=FIRST + 51, time=1.7e9, epoch=0, values={"validation_loss": 2.0})))
    lines.insert(80, encode(EvaluationRecord(step=FIRST + 78, time=1.7e9, values={"score": 1.0})))
    values = _portion(lines).steps.values
    assert {name: len(steps) for name, (steps, _) in values.items()} == {
        "train_loss": COUNT,
        "train_accuracy": len(range(0, COUNT, 3)),
        "learning_rate": len(range(0, COUNT, 3)),
        "loss/D": 1,
        "loss/G": 1,
    }


BROKEN = [
    '"time":1.0,"train_loss":01.5',
    '"time":1.0,"train_loss":.5',
    '"time":1.0,"train_loss":1.',
    '"time":1.0,"train_loss":+1.5',
    '"time":1.0,"train_loss":1.5.5',
    '"time":1.0,"train_loss":1e',
    '"time":1.0,"train_loss":-',
    '"time":1.0,"train_loss":NaN',
    '"time":1.0,"train_loss":1e999',
    '"time":999999999999.0,"train_loss":1.5',
    '"time":1e30,"train_loss":1.5',
    '"t1me":1.0,"train_loss":1.5',
    '"train_loss":1.5',
    '"time":1.0,"train_loss":1.5,"batch_size":64.0',
    '"time":1.0,"train_loss":1.5,"batch_size":-1',
    '"time":1.0,"train_loss":1.5,"mood":01',
    '"time":1.0,"train_loss":1.5,',
]


@pytest.mark.parametrize("share", [1, 3, COUNT], ids=["all", "a third", "one"])
@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_line_is_skipped_and_shown_with_its_number(broken: str, share: int) -> None:
    """Be it one of its form among good ones, or be they all of its form."""
    lines = _log()
    for i in range(0, COUNT, share):
        lines[i] = _step(FIRST + i, broken)
    records, count = decode_portion(b"".join(lines), 7)
    assert (records, count) == decode_lines(b"".join(lines), 7)
    assert count == COUNT


@pytest.mark.parametrize("place", [22, 40, 47, 65, 70])
def test_no_byte_but_a_digit_is_taken_for_one(place: int) -> None:
    """Whatever stands in the place of a digit of the step, of the time or of the loss."""
    lines = [encode_step(FIRST + i, 1.7e9, 0.123456789) for i in range(COUNT)]
    assert lines[9][place : place + 1].isdigit()
    for byte in range(256):
        lines[9] = lines[9][:place] + bytes([byte]) + lines[9][place + 1 :]
        if byte != ord("\n"):
            assert_same_either_way(lines)


ODD = [
    '"time":1.0,"train_loss":-0',
    '"time":1.0,"train_loss":-0.0',
    '"time":-1.5,"train_loss":-3.25',
    '"time":1,"train_loss":7',
    '"time":1e5,"train_loss":12e-3',
    '"time":1.0,"train_loss":123456789012345678',
    '"time":1.0,"train_loss":0.12345678901234567',
    '"train_loss":1.5,"time":1.0',
    '"time":1.0,"train_loss":1.5,"train_loss":2.5',
    '"time":1.0,"train_loss":1.5,"mood":3',
    '"time": 1.0, "train_loss": 1.5',
    '"time":1.0',
]


@pytest.mark.parametrize("share", [1, 3, COUNT], ids=["all", "a third", "one"])
@pytest.mark.parametrize("odd", ODD)
def test_what_others_may_write_is_read_as_well(odd: str, share: int) -> None:
    """Numbers and orders that JSON has and our own writer does not use."""
    lines = _log()
    for i in range(0, COUNT, share):
        lines[i] = _step(FIRST + i, odd)
    assert_same_either_way(lines)
    assert len(_fed(b"".join(lines), in_bulk=True).times) == COUNT


@given(st.randoms(use_true_random=False))
@settings(deadline=None)
def test_damaged_logs_are_read_the_same(source: random.Random) -> None:
    """Bytes that were overwritten, lost or doubled, anywhere."""
    data = bytearray(b"".join(_log(2 * MANY)))
    for _ in range(source.randint(1, 4)):
        at = source.randrange(len(data))
        data[at : at + source.choice([0, 1, 1, 30])] = source.choice([b"", b"0", b"7", b"-", b"\n", b'"', data[:90]])
    assert_same_either_way(bytes(data).splitlines(keepends=True)[:-1])


@pytest.mark.parametrize(
    "odd",
    [encode(StartRecord(step=FIRST, time=2.0, resumed=True)), encode(EndRecord(step=FIRST, time=2.0)), _log(1)[0]],
)
def test_where_the_order_counts_the_records_keep_it(odd: bytes) -> None:
    """Starts, ends, and steps that go back: the view is that of the records one by one."""
    lines = _log()
    lines.insert(90, odd)
    assert_same_either_way(lines)
    data = b"".join(lines)
    assert_same_view(_fed(data, in_bulk=True), _fed(data, in_bulk=False))


def test_a_portion_that_goes_back_resumes_the_run() -> None:
    """What was there from its first step on is replaced, as it is by records."""
    chunks = b"".join(_log()), b"".join(_log(first=FIRST + MANY))
    view = _fed(*chunks, in_bulk=True)
    assert view.resumed == (FIRST + MANY,)
    assert view.times.steps.tolist() == list(range(FIRST, FIRST + MANY + COUNT))
    assert_same_view(view, _fed(*chunks, in_bulk=False))


@given(st.lists(st.integers(0, 20_000), max_size=4))
def test_any_cutting_gives_the_same_view(cuts: list[int]) -> None:
    """Portions with few lines are read one by one, and those with many at once."""
    log = (SAMPLES / "overfitting" / "sick" / "events-0.jsonl").read_bytes()[:20_000]
    bounds = [0, *sorted(cuts), len(log)]
    chunks = [log[low:high] for low, high in pairwise(bounds)]
    assert_same_view(_fed(*chunks, in_bulk=True), _fed(log, in_bulk=False))
