"""Logs that were cut short, overwritten, doubled or mixed: what can be read is read, and nothing is raised."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.readers.writers import a_log_of
from trainhealth import plugins
from trainhealth.builder import RunBuilder
from trainhealth.errors import LogError
from trainhealth.foreign import understood
from trainhealth.readers.base import Reader
from trainhealth.readers.names import Names
from trainhealth.series import RunView
from trainhealth.testing import read_in_pieces

READERS: tuple[type[Reader], ...] = plugins.load("trainhealth.readers")
every_reader = pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
FILES = 10_000
WHOLE = {  # formats of which a file says something only when it is complete
    "json",
    "sqlite",
}


def view_of(data: bytes, file_name: str) -> RunView:
    """Return what comes of a file's bytes, by the reader that is surest of it, understood and built."""
    surest = max(READERS, key=lambda reader: reader.sniff(data, file_name))
    reader = surest(Names(), file_name) if surest.foreign else surest()
    builder = RunBuilder("file", reader.name)
    builder.feed([*reader.feed(data), *reader.settle()], 0)
    view = builder.view()
    return understood(view, Names(), reader.split_of, reader.unit_of) if surest.foreign else view


@every_reader
@given(data=st.data())
def test_a_log_cut_short_says_what_it_held_until_then(reader: type[Reader], data: st.DataObject) -> None:
    """No record changes because others were to follow."""
    log = a_log_of(reader)
    whole = read_in_pieces(reader, log, ())
    cut = data.draw(st.integers(0, len(log)))
    found = read_in_pieces(reader, log[:cut], ())
    assert found == whole[: len(found)]
    assert reader.name not in WHOLE or found in ([], whole)
    assert cut < len(log) or found == whole


@every_reader
@given(data=st.data())
def test_bytes_that_were_overwritten_cost_no_traceback(reader: type[Reader], data: st.DataObject) -> None:
    """A crash leaves zeros, a bad copy leaves junk; the file's beginning may be what is hit."""
    log = bytearray(a_log_of(reader))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(log) - 1))
        junk = data.draw(st.binary(min_size=1, max_size=20) | st.integers(1, 64).map(bytes))
        log[at : at + len(junk)] = junk
    instance = reader()
    instance.feed(bytes(log))
    instance.settle()


def mutated(source: random.Random) -> Iterator[tuple[str, bytes]]:
    """Yield files of every format with their names, each mutated in some of the ways that happen."""
    logs = [(reader.sample[0], a_log_of(reader)) for reader in READERS]
    other = [log for _, log in logs]
    digits = [
        b"nan",
        b"-inf",
        b"1e999",
        b"9" * 400,
        b"-1",
        b"",
        b"1,5",
        b"0x1F",
        b"\xd9\xa3",
        b"1_000",
        b"e",
        b"..",
        b"\x00",
    ]
    while True:
        name, log = source.choice(logs)
        data = bytearray(log)
        for _ in range(source.randint(1, 5)):
            at = source.randrange(len(data) + 1)
            kind = source.randrange(8)
            if kind == 0:
                del data[at:]
            elif kind == 1:
                del data[at : at + source.randint(1, 30)]
            elif kind == 2:
                data[at:at] = data[source.randrange(len(data) + 1) :][: source.randint(1, 200)]
            elif kind == 3:
                data[at : at + 1] = bytes([source.randrange(256)])
            elif kind == 4:
                places = [place for place, byte in enumerate(data) if 48 <= byte < 58]
                if places:
                    place = source.choice(places)
                    data[place : place + 1] = source.choice(digits)
            elif kind == 5:
                data[at:at] = source.choice(
                    [b"\r", b"\n", b"\r\n", b"\x1b[31m", b"\b" * 9, b'"', b"{", b"[[[[", b",,", b"\0" * 99]
                )
            elif kind == 6:
                data[at:at] = source.choice(other)[: source.randint(1, 300)]
            else:
                data = data[at:] + data[:at]
        yield name, bytes(data)


@pytest.mark.slow
def test_no_mutated_file_raises_anything_but_a_log_error() -> None:
    """Ten thousand files, through recognition, reading, building and understanding; the seed is fixed."""
    read = refused = 0
    for number, (name, data) in zip(range(FILES), mutated(random.Random(20261121)), strict=False):
        try:
            view_of(data, name)
        except LogError:
            refused += 1
        except Exception as error:  # noqa: BLE001  # the file is what a person needs to repair it
            pytest.fail(f"file {number}, {name}, {data[:2000]!r}: {type(error).__name__}: {error}")
        else:
            read += 1
    assert read > FILES * 0.9
    assert read + refused == FILES


@settings(max_examples=300)
@given(st.binary(max_size=400), st.sampled_from([reader.sample[0] for reader in READERS]))
def test_any_bytes_under_any_name_are_read_or_refused(data: bytes, file_name: str) -> None:
    """A file may be called as it likes."""
    with suppress(LogError):
        assert view_of(data, file_name).format
