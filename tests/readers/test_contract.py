"""What every reader promises, built-in or from a plugin, held by one test over all of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainhealth import plugins
from trainhealth.readers.base import Reader
from trainhealth.records import Record, Skipped, StepRecord
from trainhealth.testing import check_reader, read_in_pieces

READERS: tuple[type[Reader], ...] = plugins.load("trainhealth.readers")
every_reader = pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)


def test_readers_come_through_the_door_of_plugins() -> None:
    """An empty list would make every test below pass."""
    assert "trainhealth" in {reader.name for reader in READERS}


def test_names_are_unique() -> None:
    """A user names a format by it."""
    names = [reader.name for reader in READERS]
    assert len(set(names)) == len(names)


@every_reader
def test_a_reader_keeps_its_promises(reader: type[Reader]) -> None:
    """Those that the public kit checks for authors of plugins."""
    check_reader(reader)


@every_reader
def test_a_reader_is_surest_of_its_own_sample(reader: type[Reader]) -> None:
    """No other reader takes the file away from it."""
    file_name, data = reader.sample
    others = [other.sniff(data, file_name) for other in READERS if other is not reader]
    assert reader.sniff(data, file_name) > max(others, default=0.0)


@every_reader
@given(data=st.data())
def test_any_cutting_of_the_bytes_gives_the_same_records(reader: type[Reader], data: st.DataObject) -> None:
    """Also where lines are lost, doubled or replaced by junk, and with the same line numbers."""
    lines = reader.sample[1].splitlines(keepends=True)
    junk = st.binary(max_size=12).map(lambda line: line + b"\n")
    log = b"".join(data.draw(st.lists(st.sampled_from(lines) | junk, max_size=12)))
    cuts = data.draw(st.lists(st.integers(0, len(log)), max_size=8))
    assert read_in_pieces(reader, log, cuts) == read_in_pieces(reader, log, ())


@every_reader
@given(head=st.binary(max_size=300), file_name=st.text(max_size=20))
def test_sniffing_never_raises(reader: type[Reader], head: bytes, file_name: str) -> None:
    """Whatever the file begins with: sureness is a number from 0 to 1."""
    assert 0.0 <= reader.sniff(head, file_name) <= 1.0


@every_reader
def test_what_has_no_end_yet_waits(reader: type[Reader]) -> None:
    """It is neither read nor skipped, and counted; when all has come, nothing waits."""
    data = reader.sample[1]
    complete = next(end for end in range(1, len(data) + 1) if reader().feed(data[:end]))
    instance = reader()
    assert instance.feed(data[: complete - 1]) == []
    assert instance.unfinished() > 0
    instance.feed(data[complete - 1 :])
    assert instance.unfinished() == 0


class Good(Reader):
    """A format of its own, as a plugin would bring it: one loss a line."""

    name = "losses"
    sample = ("losses.txt", b"1.5\n1.25\n1.125\n")

    def __init__(self) -> None:
        self._rest = b""
        self._step = 0

    @classmethod
    def sniff(cls, head: bytes, file_name: str) -> float:
        return 0.5 if file_name == "losses.txt" else 0.0

    def feed(self, chunk: bytes) -> list[Record | Skipped]:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        return [self._record(line) for line in lines]

    def _record(self, line: bytes) -> Record | Skipped:
        self._step += 1
        try:
            return StepRecord(step=self._step - 1, time=0.0, train_loss=float(line))
        except ValueError as error:
            return Skipped(self._step, str(error))


class Forgetful(Good):
    def feed(self, chunk: bytes) -> list[Record | Skipped]:
        self._rest = b""
        return super().feed(chunk)


class Raising(Good):
    def _record(self, line: bytes) -> Record | Skipped:
        self._step += 1
        return StepRecord(step=self._step - 1, time=0.0, train_loss=float(line))


class Overconfident(Good):
    @classmethod
    def sniff(cls, head: bytes, file_name: str) -> float:
        return 100.0


class Unaware(Good):
    @classmethod
    def sniff(cls, head: bytes, file_name: str) -> float:
        return 0.0


class Skipping(Good):
    sample = ("losses.txt", b"1.5\nabc\n")


def test_the_kit_accepts_a_reader_that_keeps_its_promises() -> None:
    """Twenty lines suffice for a format of one's own."""
    check_reader(Good)


@pytest.mark.parametrize(
    ("reader", "complaint"),
    [
        (Forgetful, "a cut after byte 1 gives other records"),
        (Overconfident, "not between 0 and 1"),
        (Unaware, "does not recognise its own sample"),
        (Skipping, "skips lines of its own sample"),
    ],
)
def test_the_kit_says_which_promise_is_broken(reader: type[Reader], complaint: str) -> None:
    """So that an author of a reader knows what to repair."""
    with pytest.raises(AssertionError, match=complaint):
        check_reader(reader)


def test_the_kit_lets_through_what_a_reader_raises() -> None:
    """A line that can't be read must be a `Skipped`, not an exception."""
    with pytest.raises(ValueError, match="could not convert"):
        check_reader(Raising)
