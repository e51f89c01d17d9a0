"""Text that calls nothing a loss: a number alone behind its step is one, and the report says that this was assumed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.readers.reading import read, said, signals
from trainhealth.errors import LogError
from trainhealth.readers.lone_numbers import LoneNumbers
from trainhealth.readers.names import Names
from trainhealth.readers.text import TextReader
from trainhealth.reports.facts import run_facts

_LOSSES = (2.5, 1.25, 0.75)


def _lines(form: str, places: tuple[int, ...] = (0, 100, 200)) -> str:
    return "".join(form.format(place, loss) + "\n" for place, loss in zip(places, _LOSSES, strict=True))


@pytest.mark.parametrize(
    "form", ["{0} {1}", "{0}\t{1}", "{0}, {1}", "({0}, {1})", "{0}: {1}", "[{0}] {1}", "{0} tensor({1}, grad_fn=<Mse>)"]
)
def test_a_bare_number_behind_its_step_is_the_loss(form: str, tmp_path: Path) -> None:
    """It is what ``print(step, loss.item())`` leaves; `check` and `info` say what was assumed."""
    view = read(tmp_path, f"Using device: cpu\n{_lines(form)}Result: y = 0.5 + 0.84 x\n")
    assert signals(view) == {"train_loss": dict(zip((0, 100, 200), _LOSSES, strict=True))}
    assert "column 2 is read as train_loss: assumed" in said(view)
    assert "column 2 taken for the loss" in run_facts(view)


@pytest.mark.parametrize("places", [(0, 1, 2), (1, 2, 3), (99, 199, 299), (100, 200, 300), (1, 51, 101)])
def test_a_count_may_begin_where_trainings_begin(places: tuple[int, ...], tmp_path: Path) -> None:
    """At zero, at one, or where the first stride ends."""
    assert [*signals(read(tmp_path, _lines("{0} {1}", places)))["train_loss"]] == [*places]


@pytest.mark.parametrize("places", [(7, 8, 9), (0, 1, 5), (0, 0, 0), (3, 2, 1)])
def test_numbers_that_do_not_count_a_training_are_no_steps(places: tuple[int, ...], tmp_path: Path) -> None:
    """Nobody prints the loss so; any table of numbers may look so."""
    with pytest.raises(LogError, match="line 1 has numbers without names"):
        read(tmp_path, _lines("{0} {1}", places))


def test_undefined_losses_are_losses(tmp_path: Path) -> None:
    """They are why somebody shows the output."""
    assert len(signals(read(tmp_path, "0 2.5\n1 nan\n2 nan\n3 nan\n"))["train_loss"]) == 4


def test_the_last_step_of_all_may_lie_off_the_count(tmp_path: Path) -> None:
    """It is left out, and what comes before it stays; a count that begins anew is another run."""
    assert [*signals(read(tmp_path, "0 2.5\n10 2.0\n20 1.5\n29 1.0\n"))["train_loss"]] == [0, 10, 20]
    assert [*signals(read(tmp_path, "0 2.5\n10 2.0\n20 1.5\n30 1.0\n0 9.5\n5 9.0\n10 8.5\n"))["train_loss"]] == [
        0,
        5,
        10,
    ]


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("0 0.5\n1 0.4\n2 0.3\nEpoch 3: loss 7.5\nEpoch 4: loss 7.25\n", {"train_loss": {3: 7.5, 4: 7.25}}),
        ("Epoch 3: loss 7.5\nEpoch 4: loss 7.25\n0 0.5\n1 0.4\n2 0.3\n", {"train_loss": {3: 7.5, 4: 7.25}}),
        (
            "Epoch 3: val acc 0.5\nEpoch 4: val acc 0.75\n0 0.5\n1 0.4\n2 0.3\n",
            {"validation_accuracy": {3: 0.5, 4: 0.75}},
        ),
    ],
    ids=["before", "behind", "an accuracy"],
)
def test_beside_numbers_with_names_they_are_nothing(
    log: str, expected: dict[str, dict[int, float]], tmp_path: Path
) -> None:
    """They may be anything then."""
    assert signals(read(tmp_path, log)) == expected


@pytest.mark.parametrize("header", ["epoch time", "iter seconds", "x y"])
def test_a_header_that_names_no_loss_contradicts(header: str, tmp_path: Path) -> None:
    """What stands above the columns says what they are."""
    with pytest.raises(LogError, match="numbers without names"):
        read(tmp_path, f"{header}\n{_lines('{0} {1}')}")


def test_a_header_between_blanks_names_the_columns(tmp_path: Path) -> None:
    """However many there are; a banner of as many words is none."""
    log = "epoch loss acc\n0 2.5 0.5\n1 2.25 0.625\n2 1.5 0.75\n"
    assert signals(read(tmp_path, log)) == {
        "train_loss": {0: 2.5, 1: 2.25, 2: 1.5},
        "train_accuracy": {0: 0.5, 1: 0.625, 2: 0.75},
    }
    assert "train_loss" in signals(read(tmp_path, f"Start training\n{_lines('{0} {1}')}"))


def test_three_columns_are_read_as_they_are_mapped(tmp_path: Path) -> None:
    """Which of them is the loss nobody can know; the error says how to tell."""
    log = "0 2.5 3.5\n1 2.25 3.25\n2 1.5 3.0\n"
    with pytest.raises(LogError) as refused:
        read(tmp_path, log)
    assert "line 1 has numbers without names: '0 2.5 3.5'" in refused.value.message
    assert "--map 'train_loss=column 2'" in refused.value.hint
    mapped = read(tmp_path, log, names={"train_loss": "column 2", "validation_loss": "column 3", "epoch": "column 1"})
    assert signals(mapped) == {"train_loss": {0: 2.5, 1: 2.25, 2: 1.5}, "validation_loss": {0: 3.5, 1: 3.25, 2: 3.0}}
    assert len(mapped.epochs) == 3


@pytest.mark.parametrize("values", ["0.1 0.5 0.9", "11.5 60.0 82.5"])
def test_what_rises_as_an_accuracy_does_is_not_taken_for_a_loss(values: str, tmp_path: Path) -> None:
    """A loss that rises so would be an alarm; the error asks which it is."""
    log = "".join(f"{epoch} {value}\n" for epoch, value in enumerate(values.split()))
    with pytest.raises(LogError, match="it may be a loss or an accuracy") as refused:
        read(tmp_path, log)
    assert "--map 'train_accuracy=column 2'" in refused.value.hint
    assert "train_accuracy" in signals(read(tmp_path, log, names={"train_accuracy": "column 2"}))


def test_whole_numbers_are_counts(tmp_path: Path) -> None:
    """A histogram has the same form."""
    with pytest.raises(LogError):
        read(tmp_path, "0 45\n1 12\n2 7\n3 5\n")


@pytest.mark.parametrize(
    "line",
    ["Epoch {0} error {1}", "epoch: {0}, MSE: {1}", "Epoch [{0}/3] - rmse = {1}", "step {0}: mae 9.5, mse {1}"],
)
def test_an_error_without_a_split_is_the_loss_where_nothing_else_is(line: str, tmp_path: Path) -> None:
    """A regression's; of several the one that is most likely to have been minimised."""
    view = read(tmp_path, _lines(line, (1, 2, 3)))
    assert signals(view) == {"train_loss": dict(zip((1, 2, 3), _LOSSES, strict=True))}
    assert "is read as train_loss: assumed" in said(view)


@pytest.mark.parametrize("line", ["Episode {0} error {1}", "Epoch {0} error {1} of 3 bars"])
def test_other_errors_are_none(line: str, tmp_path: Path) -> None:
    """Of an episode, or in the middle of a sentence: they are named, as every number that nobody knows."""
    with pytest.raises(LogError, match=r"among .*error; line 1 is"):
        read(tmp_path, _lines(line, (1, 2, 3)))


def test_an_error_of_validation_is_no_loss_of_training(tmp_path: Path) -> None:
    """It says which split it is of."""
    assert signals(read(tmp_path, _lines("Epoch {0}: val mse {1}", (1, 2, 3)))) == {}


def test_nobody_is_offered_a_file_of_bare_numbers_as_a_log() -> None:
    """In a folder of a run it may hold data: only who names it says that it is a log."""
    assert TextReader.sniff(_lines("{0} {1}").encode(), "numbers.txt") < TextReader.sniff(
        b"epoch 0 loss 2.5\n", "a.txt"
    )


@given(st.text(alphabet="0123456789 .,:;|()[]einafEepoch rrorms=-\t", max_size=200))
def test_any_line_is_read_or_passed_over(text: str) -> None:
    """With every number that a row holds where it stood."""
    lone = LoneNumbers(Names(), "")
    for row, step in lone.rows(text):
        assert step is None
        assert all(str(value) in text for value in row.values())


@given(st.integers(0, 1), st.integers(1, 1000), st.lists(st.floats(1e-4, 1e30), min_size=3, max_size=30))
def test_what_counts_in_equal_steps_is_read_whole(first: int, stride: int, losses: list[float]) -> None:
    """Every row once, in order, whatever the losses."""
    lone = LoneNumbers(Names(), "")
    lines = [(first + n * stride, repr(loss)) for n, loss in enumerate(losses)]
    found = [row for place, loss in lines for row in lone.rows(f"{place} {loss}")]
    assert found == [({"column 2": loss}, place) for place, loss in lines]
