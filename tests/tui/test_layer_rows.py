"""Which rows the layers are shown in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trainhealth.tui.layer_rows import Choice, Row, arranged

BLOCKS = tuple(f"h.{block}.{part}" for block in range(12) for part in ("attn.c_attn", "attn.c_proj", "mlp"))
SMALL = ("conv1", "conv1/relu", "conv2", "hidden.0", "hidden.1", "output")


def names(rows: tuple[Row, ...]) -> list[str]:
    return [f"{row.name} ({len(row.members)})" if row.is_group else row.name for row in rows]


def test_few_layers_are_all_rows() -> None:
    """Nobody has to open anything."""
    assert names(arranged(SMALL, Choice(), 6)) == list(SMALL)


def test_many_layers_are_grouped_as_deep_as_there_is_room() -> None:
    """Thirty-six layers in twelve blocks: the blocks where twelve rows fit, their parts where more do."""
    assert names(arranged(BLOCKS, Choice(), 12))[:2] == ["h.0 (3)", "h.1 (3)"]
    assert len(arranged(BLOCKS, Choice(), 12)) == 12
    assert names(arranged(BLOCKS, Choice(grouped=True), 30))[:3] == ["h.0.attn (2)", "h.0.mlp", "h.1.attn (2)"]


def test_one_group_of_everything_says_nothing() -> None:
    """More groups than fit are better than one; where names have nothing else in common, every layer is a row."""
    assert len(arranged(BLOCKS, Choice(), 5)) == 12
    flat = tuple(f"features.{number}" for number in range(300))
    assert len(arranged(flat, Choice(), 20)) == 300
    assert names(arranged(flat, Choice(grouped=True), 20)) == ["features (300)"]


def test_the_user_s_choice_holds_whatever_the_room() -> None:
    """Grouped where there is room for all; all where there is not."""
    assert names(arranged(SMALL, Choice(grouped=True), 50)) == ["conv1 (2)", "conv2", "hidden (2)", "output"]
    assert len(arranged(BLOCKS, Choice(grouped=False), 5)) == 36


def test_an_open_group_is_followed_by_its_layers() -> None:
    """The others stay closed."""
    rows = arranged(SMALL, Choice(grouped=True, opened=frozenset({"hidden"})), 50)
    assert names(rows) == ["conv1 (2)", "conv2", "hidden (2)", "hidden.0", "hidden.1", "output"]
    assert [row.is_member for row in rows] == [False, False, False, True, True, False]
    assert [row.is_open for row in rows if row.is_group] == [False, True]


def test_words_choose_layers_in_any_case() -> None:
    """All words, anywhere in the name; groups are made of what is left."""
    assert names(arranged(BLOCKS, Choice(words="ATTN 11"), 50)) == ["h.11.attn.c_attn", "h.11.attn.c_proj"]
    assert arranged(BLOCKS, Choice(words="nowhere"), 50) == ()
    assert arranged((), Choice(grouped=True), 50) == ()


@given(
    st.lists(st.text("ab01./", max_size=8), max_size=40, unique=True),
    st.sampled_from([True, False, None]),
    st.integers(0, 50),
)
def test_every_layer_stands_in_exactly_one_row(places: list[str], grouped: bool | None, most: int) -> None:
    """Whatever layers are called."""
    rows = arranged(tuple(places), Choice(grouped=grouped), most)
    assert sorted(member for row in rows for member in row.members) == list(range(len(places)))
