"""Text: losses that are no numbers any more, which are why somebody shows what was printed."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.readers.reading import read, signals
from trainhealth import check
from trainhealth.readers.names import Names
from trainhealth.readers.pairs import pairs

_UNDEFINED = ("nan", "NaN", "NAN", "-nan", "inf", "-inf", "Inf", "infinity")


@pytest.mark.parametrize("undefined", _UNDEFINED)
@pytest.mark.parametrize(
    "line", ["epoch {0} loss {1} acc 0.5", "epoch {0} acc 0.5 loss {1}", "epoch {0} W {1} loss {1} acc 0.5 b {1}"]
)
def test_a_blank_before_an_undefined_loss_joins_the_two(line: str, undefined: str, tmp_path: Path) -> None:
    """It is a value, not a word of the next name."""
    found = signals(read(tmp_path, "".join(line.format(epoch, undefined) + "\n" for epoch in range(3))))
    assert [math.isfinite(loss) for loss in found["train_loss"].values()] == [False] * 3
    assert found["train_accuracy"] == {0: 0.5, 1: 0.5, 2: 0.5}


def test_an_undefined_loss_is_found(tmp_path: Path) -> None:
    """The diagnosis names it."""
    path = tmp_path / "output.txt"
    path.write_text("0 loss 3294.5 W 984.5 b 51.5\n" + "".join(f"{at} loss nan W nan b nan\n" for at in (50, 100, 150)))
    assert "LS01" in {finding.code for finding in check(path).findings}


@pytest.mark.parametrize("name", ["nanogpt loss", "info loss", "infinity_loss loss"])
def test_a_name_that_begins_with_such_letters_is_a_name(name: str) -> None:
    """Only the whole word is a value."""
    assert [pair.value for pair in pairs(f"{name} 0.5", Names()).values()] == ["0.5"]


@given(st.lists(st.sampled_from([*_UNDEFINED, "0.5", "1e-3", "7"]), min_size=2, max_size=2), st.sampled_from(" =:"))
def test_every_number_belongs_to_the_name_before_it(values: list[str], joint: str) -> None:
    """Whatever it is, and whatever joins the two."""
    found = pairs(f"train_loss{joint}{values[0]} val_loss{joint}{values[1]}", Names())
    assert {name: pair.value for name, pair in found.items()} == dict(
        zip(("train_loss", "val_loss"), values, strict=True)
    )
