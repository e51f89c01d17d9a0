"""Lines of spans: widths, clipping, wrapping."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trainhealth.tui.lines import Span, clip, line, paragraph, plain, spread, table, width_of, wrap

_texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=40)


@given(st.lists(_texts, max_size=4), st.integers(1, 60))
def test_a_clipped_line_never_takes_more_cells_than_it_may(texts: list[str], width: int) -> None:
    """Wide characters and emoji count as the cells that they take."""
    content = line(*texts)
    clipped = clip(content, width)
    assert width_of(clipped) <= width
    assert clipped == content or plain(clipped).endswith("…")


def test_the_two_ends_of_a_line_stand_at_its_two_ends() -> None:
    """What has no room is cut from the left part, unless the right one would take nearly everything."""
    assert plain(spread(line("left"), line("right"), 14)) == "left     right"
    assert plain(spread(line("a long left part"), line("right"), 14)) == "a long…  right"
    assert plain(spread(line("left"), line("a very long right part"), 14)) == "left"


def test_a_control_character_never_reaches_the_terminal() -> None:
    """A layer's name in a log is somebody else's text: it must not be able to steer the terminal."""
    assert plain(line("a\x1b[31mb\n")) == "a�[31mb�"
    assert wrap("one\x1btwo\nthree", 40) == ["one�two three"]


def test_a_paragraph_stands_beside_its_label() -> None:
    """Labels make a column of their own; only words that are longer than a line are broken."""
    lines = paragraph("several words here", 20, first=Span("do this", "healthy"), indent=9)
    assert [plain(row) for row in lines] == ["do this  several", "         words here"]
    assert lines[0][0].role == "healthy"


def test_a_table_aligns_its_columns() -> None:
    """Numbers are aligned to the right; what is too wide is clipped, not wrapped."""
    rows = [["signal", "seen"], ["train_loss", Span("3", "strong")], ["x", "12.5"]]
    assert [plain(row) for row in table(rows, 40, right=frozenset({1}))] == [
        "signal      seen",
        "train_loss     3",
        "x           12.5",
    ]
    assert plain(table(rows, 8)[1]) == "train_l…"
