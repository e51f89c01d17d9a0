"""Lines on a page: wrapping, columns, what a stream can show."""

from __future__ import annotations

import io

import pytest

from trainhealth.reports.page import Page


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_number_and_its_percent_sign_stay_together() -> None:
    """A line that begins with a percent sign is hard to read."""
    text = f"{'x' * 76} 91 % of all"
    assert Page(io.StringIO()).wrap(text, 0) == ["x" * 76, "91 % of all"]


def test_a_paragraph_hangs_on_its_label() -> None:
    """The label stands once, and the text in one column."""
    out = io.StringIO()
    Page(out).labelled("because", "word " * 20, 13)
    first, second = out.getvalue().splitlines()
    assert first.startswith("  because    word word")
    assert second.startswith("             word")


def test_a_listing_is_wrapped_in_a_terminal_and_whole_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """People get columns that fit; grep gets one row a line."""
    monkeypatch.setenv("TERM", "dumb")
    rows = [("AB01", "a-name", "word " * 20), ("AB02", "another", "short")]
    terminal, pipe = _Terminal(), io.StringIO()
    for out in (terminal, pipe):
        Page(out).listing(rows)
    assert len(pipe.getvalue().splitlines()) == 2
    assert all(len(line) <= 80 for line in terminal.getvalue().splitlines())
    assert terminal.getvalue().splitlines()[1].startswith(" " * 15 + "word")


def test_an_empty_listing_is_empty() -> None:
    """No rows, no lines."""
    out = io.StringIO()
    Page(out).listing([])
    assert out.getvalue() == ""
