"""Our hooks measure the lectures' own numbers, and ``docs/lectures.md`` shows what they measure."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

DOCS = Path(__file__).parents[1] / "docs"

sys.path.insert(0, str(DOCS))
import lectures  # noqa: E402  # after the path to it


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.mark.slow
@pytest.mark.parametrize("name", lectures.TABLES)
def test_our_hooks_measure_the_lectures_numbers(name: str) -> None:
    """Each number lies within the scatter of one draw of the lecture's, and stands so in the document."""
    table = lectures.TABLES[name]()
    for row in table.rows:
        assert row.low <= row.ours <= row.high, row.what
    shown = shown_rows(table.title)
    assert [cells[:2] for cells in shown] == [[row.what, row.lecture] for row in table.rows]
    for row, cells in zip(table.rows, shown, strict=True):
        assert row.low <= float(cells[2]) <= row.high, f"docs/lectures.md shows another number: {row.what}"


def shown_rows(title: str) -> list[list[str]]:
    """The cells of the document's table of that title, row by row."""
    section = lectures.DOCUMENT.read_text().partition(f"## {title}\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def test_the_document_shows_every_table_and_no_other() -> None:
    """Titles are read from the document, so that a table that is gone leaves no ghost."""
    titles = [line[3:] for line in lectures.DOCUMENT.read_text().splitlines() if line.startswith("## ")]
    assert len(titles) == len(set(titles)) == len(lectures.TABLES)
