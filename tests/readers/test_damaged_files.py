"""Logs that were cut short, overwritten, doubled or mixed: what can be read is read, and nothing is raised."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.readers.fuzzing import BY_NAME, READERS, fuzz, view_of
from tests.readers.kinds import KINDS
from tests.readers.writers import a_log_of
from trainhealth.errors import LogError
from trainhealth.readers.base import Reader
from trainhealth.records import Record, Skipped
from trainhealth.testing import read_in_pieces

LOGS = {reader.name: (reader, a_log_of(reader)) for reader in READERS} | {
    name: (BY_NAME[kind.format], kind.log) for name, kind in KINDS.items()
}
every_log = pytest.mark.parametrize("name", LOGS)
FILES = 40
WHOLE = {  # formats of which a file says something only when it is complete
    "json",
    "sqlite",
}


@every_log
@settings(max_examples=25)
@given(data=st.data())
def test_a_log_cut_short_says_what_it_held_until_then(name: str, data: st.DataObject) -> None:
    """No record changes because others were to follow."""
    reader, log = LOGS[name]
    whole = read_in_pieces(reader, log, ())
    cut = data.draw(st.integers(0, len(log)))
    found = read_in_pieces(reader, log[:cut], ())
    assert found == whole[: len(found)]
    assert reader.name not in WHOLE or found in ([], whole)
    assert cut < len(log) or found == whole


@every_log
@settings(max_examples=25)
@given(data=st.data())
def test_bytes_that_were_overwritten_read_the_same_in_pieces(name: str, data: st.DataObject) -> None:
    """A crash leaves zeros, a bad copy leaves junk; the same records and skipped lines come, however the file grew."""
    reader, log = LOGS[name][0], bytearray(LOGS[name][1])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(log) - 1))
        junk = data.draw(st.binary(min_size=1, max_size=20) | st.integers(1, 64).map(bytes))
        log[at : at + len(junk)] = junk
    cuts = data.draw(st.lists(st.integers(0, len(log)), min_size=1, max_size=6))
    assert _to_the_end(reader, bytes(log), cuts) == _to_the_end(reader, bytes(log), ())


def _to_the_end(reader: type[Reader], log: bytes, cuts: Sequence[int]) -> list[Record | Skipped]:
    """Return what is read when the bytes come in pieces and no more are to come."""
    instance = reader()
    pieces = (log[low:high] for low, high in pairwise([0, *sorted(cuts), len(log)]))
    return [*(record for piece in pieces for record in instance.feed(piece)), *instance.settle()]


@pytest.mark.parametrize("name", KINDS)
def test_a_log_of_each_kind_is_read_by_its_reader(name: str) -> None:
    """In whatever ways it differs from that reader's sample; no line is skipped."""
    kind = KINDS[name]
    view = view_of(kind.log, kind.file)
    assert view.format == kind.format
    assert view.scalars
    assert not view.skipped


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_no_mutated_log_raises_anything(name: str) -> None:
    """A part of what `python -m benchmarks.fuzzing` does with ten thousand files of each kind."""
    outcome = fuzz(name, KINDS[name], [kind.log for kind in KINDS.values()], FILES, seed=1)
    assert outcome.read + outcome.refused == FILES
    assert outcome.read > FILES * 0.9


@settings(max_examples=300)
@given(st.binary(max_size=400), st.sampled_from([reader.sample[0] for reader in READERS]))
def test_any_bytes_under_any_name_are_read_or_refused(data: bytes, file_name: str) -> None:
    """A file may be called as it likes."""
    with suppress(LogError):
        assert view_of(data, file_name).format
