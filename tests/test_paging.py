"""Large arrays in files: whatever happens to their memory, the numbers stay."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

import numpy as np
import pytest

from trainhealth import paging
from trainhealth.growing import GrowingColumns, GrowingSeries
from trainhealth.paging import LEAST, let_go, page_out_from_now_on, room
from trainhealth.series import RunView, Series
from trainhealth.tui.pyramid import Pyramid

NUMBERS = LEAST // 8


@pytest.fixture
def _paged() -> Iterator[None]:
    before = paging._paging.on
    page_out_from_now_on()
    yield
    paging._paging.on = before


def mapped() -> int:
    return len(paging._paging.mapped)


@pytest.mark.usefixtures("_paged")
def test_what_a_long_run_holds_outlives_its_memory() -> None:
    """Series and columns that have grown into files read the same after their memory was given back."""
    before = mapped()
    series, columns = GrowingSeries(), GrowingColumns("layers", ("a", "b"))
    steps = np.arange(4 * NUMBERS)
    series.extend(steps, np.sqrt(steps))
    columns.write(0, np.stack([steps, -steps], axis=1))
    view, table = series.view("loss"), columns.view("activation_std", steps)
    assert mapped() > before
    let_go()
    np.testing.assert_array_equal(view.values, np.sqrt(steps))
    np.testing.assert_array_equal(table.values[:, 1], -steps.astype(np.float32))


@pytest.mark.usefixtures("_paged")
def test_what_is_computed_from_a_long_run_and_kept_is_given_back_too() -> None:
    """The rate at every step, which stays with the view, and the blocks of a chart."""
    steps = np.arange(16 * NUMBERS)
    losses = Series("train_loss", steps, np.cos(steps))
    rates = Series("learning_rate", np.array([1, NUMBERS]), np.array([0.1, 0.05]))
    before = mapped()
    rate = RunView(scalars={"train_loss": losses, "learning_rate": rates}).learning_rate
    assert mapped() == before + 1
    pyramid = Pyramid(losses)
    assert mapped() > before + 1
    let_go()
    assert rate.values.tolist() == [0.1] * (NUMBERS - 1) + [0.05] * (15 * NUMBERS)
    assert float(pyramid.whole(5, 9 * NUMBERS).high[0]) == losses.values[5 : 9 * NUMBERS].max()


@pytest.mark.usefixtures("_paged")
def test_a_row_that_was_not_written_is_missing() -> None:
    """In a file as in memory: what a new file holds are zeros."""
    columns = GrowingColumns("layers", ("a",))
    columns.write(NUMBERS * 4, [1.0])
    assert np.isnan(columns.view("x", np.arange(NUMBERS * 4)).values).all()


@pytest.mark.usefixtures("_paged")
def test_a_file_is_gone_with_its_array() -> None:
    """A dashboard that follows one run after another keeps the files of the last one."""
    before = mapped()
    array = room((NUMBERS,), np.float64)
    assert mapped() == before + 1
    del array
    assert mapped() == before


@pytest.mark.usefixtures("_paged")
def test_a_full_disk_leaves_the_numbers_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Room is asked for before it is used: a write to a page that the disk has no room for would end the process."""

    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    before = mapped()
    room((NUMBERS,), np.float64)[:] = 1.0
    assert mapped() == before


def test_only_a_dashboard_puts_numbers_into_files() -> None:
    """`check` reads a run once and ends."""
    before = mapped()
    room((NUMBERS,), np.float64)
    assert mapped() == before
