"""The reader of our own format, cut anywhere, with anything between the records."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainhealth.readers import trainhealth_jsonl
from trainhealth.readers.trainhealth_jsonl import TrainHealthReader
from trainhealth.records import EndRecord, EventRecord, Skipped, StepRecord, encode, encode_step
from trainhealth.testing import read_in_pieces

GOOD = encode_step(3, 1.0, 0.5)

PIECES = [
    GOOD,
    encode(EndRecord(step=4, time=2.0)),
    encode(EventRecord(step=4, time=2.0, event="note", message="grüße ✓\n\t")),
    b"\n",
    b"\r\n",
    GOOD[:-1] + b"\r\n",
    GOOD[:-1] + GOOD,
    GOOD[:20],
    b'{"kind":"end",\n"step":1,"time":1}\n',
    b'{"kind":"later","step":1}\n',
    b"\0\0\0\0",
    b"\xff\xfe{\n",
    b'{"kind":"step","step":1,"time":1,"train_loss":NaN}\n',
    b"x" * 300 + b"\n",
]


@pytest.fixture
def short_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainhealth_jsonl, "LONGEST_LINE", 200)


@given(st.lists(st.sampled_from(PIECES), max_size=10), st.lists(st.integers(0, 2000), max_size=10), st.booleans())
def test_any_cutting_gives_the_same_records_and_the_same_skipped_lines(
    pieces: list[bytes], cuts: list[int], short: bool
) -> None:
    """With the same line numbers, reasons and texts; also where lines are too long."""
    log = b"".join(pieces)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainhealth_jsonl, "LONGEST_LINE", 200 if short else 64 << 20)
        whole = read_in_pieces(TrainHealthReader, log, ())
        assert read_in_pieces(TrainHealthReader, log, cuts) == whole
        assert read_in_pieces(TrainHealthReader, log, range(len(log))) == whole


def test_line_numbers_count_every_line_of_the_file() -> None:
    """Blank ones, unknown ones and bad ones too: the number is the one that an editor shows."""
    log = b"\n" + GOOD + b'{"kind":"later"}\n' + b"junk\n" + GOOD + b"junk\n"
    for cuts in ((), (3, 40, 100), range(len(log))):
        skipped = [record for record in read_in_pieces(TrainHealthReader, log, cuts) if isinstance(record, Skipped)]
        assert [record.line for record in skipped] == [4, 6]


@pytest.mark.usefixtures("short_lines")
@pytest.mark.parametrize("length", [201, 399, 400, 401, 1000])
@pytest.mark.parametrize("cuts", [(), (10,), (150, 250), (205,), range(1200)], ids=str)
def test_a_line_beyond_the_cap_is_one_skipped_line(length: int, cuts: tuple[int, ...]) -> None:
    """Shown by its beginning; its neighbours are read."""
    log = GOOD + b"y" * length + b"\n" + GOOD
    before, skipped, after = read_in_pieces(TrainHealthReader, log, cuts)
    assert isinstance(before, StepRecord)
    assert skipped == Skipped(2, "a line of more than 200 bytes", "y" * 120)
    assert isinstance(after, StepRecord)


@pytest.mark.usefixtures("short_lines")
def test_a_line_at_the_cap_is_read() -> None:
    """The cap is what a line may have without its end."""
    bare = len(encode(EventRecord(step=0, time=0.0, event="e", message="m")))
    filled = encode(EventRecord(step=0, time=0.0, event="e", message="m" * (202 - bare)))
    assert len(filled) == 201
    [record] = TrainHealthReader().feed(filled)
    assert isinstance(record, EventRecord)


@pytest.mark.usefixtures("short_lines")
def test_a_line_that_never_ends_takes_no_memory() -> None:
    """A file of zeros is not gathered until memory is full."""
    reader = TrainHealthReader()
    for _ in range(1000):
        reader.feed(b"\0" * 100)
    assert reader.unfinished() == 100_000
    assert sum(len(piece) for piece in reader._pieces) <= 200


@pytest.mark.parametrize(
    ("head", "file_name", "sureness"),
    [
        (b'{"kind":"start","step":0', "anything.log", 1.0),
        (b'{"kind": "start", "step": 0', "anything.log", 1.0),
        (b"", "events-0.jsonl", 0.9),
        (b"\0\0\0", "events-0.jsonl", 0.9),
        (b'{"kind":"step"', "events-12.jsonl", 0.9),
        (b"half a line", "events-0.jsonl", 0.4),
        (b'{"loss": 0.5}', "metrics.jsonl", 0.0),
        (b"", "metrics.csv", 0.0),
    ],
)
def test_it_recognises_its_files_by_their_first_record_or_their_name(
    head: bytes, file_name: str, sureness: float
) -> None:
    """A renamed log is recognised, and so is one that begins with junk; a foreign one is left alone."""
    assert TrainHealthReader.sniff(head, file_name) == sureness
