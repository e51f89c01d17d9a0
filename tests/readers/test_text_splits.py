"""Text: which split a number belongs to that does not say it, and what is none of the loss."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.readers.reading import read, signals


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Epoch {0} | Loss: 2.5 | Val Acc: 0.5", {"train_loss": 2.5, "validation_accuracy": 0.5}),
        ("Epoch {0}: Loss: 2.5, Val Loss: 3.5", {"train_loss": 2.5, "validation_loss": 3.5}),
        (
            "Epoch {0}: Acc 0.5 Loss 2.5 (test acc: 0.25)",
            {"train_accuracy": 0.5, "train_loss": 2.5, "test_accuracy": 0.25},
        ),
        ("Epoch {0}: Loss: 2.5, Val MSE: 0.5", {"train_loss": 2.5}),
        ("Epoch {0}: Val Loss: 3.5, Acc: 0.5", {"validation_loss": 3.5, "validation_accuracy": 0.5}),
        (
            "Epoch {0}: loss 2.5, accuracy 0.5 on the validation set",
            {"validation_loss": 2.5, "validation_accuracy": 0.5},
        ),
    ],
    ids=["before", "before its like", "in parentheses", "another number's", "behind", "of the whole line"],
)
def test_the_split_of_one_number_is_not_of_those_before_it(
    line: str, expected: dict[str, float], tmp_path: Path
) -> None:
    """A word that stands alone tells of the whole line."""
    log = "".join(line.format(epoch) + "\n" for epoch in (1, 2))
    assert signals(read(tmp_path, log)) == {name: {1: value, 2: value} for name, value in expected.items()}


@pytest.mark.parametrize("announced", ["testing in eval mode...", "11:02 INFO log\\train.log evaluate:test"])
def test_what_an_evaluation_announces_is_of_its_split(announced: str, tmp_path: Path) -> None:
    """Up to the next numbers; the line between tells nothing."""
    log = "".join(
        f"epoch: {epoch}, loss is: 2.5\n{announced}\nprocessed 31 phrases\n"
        f"epoch: {epoch}, loss is: 3.5\nNow training goes on\n"
        for epoch in range(2)
    )
    view = read(tmp_path, log)
    assert signals(view)["train_loss"] == {0: 2.5, 1: 2.5}
    assert signals(view)["test_loss"] == {0: 3.5, 1: 3.5}


def test_the_sets_of_an_evaluation_stay_apart(tmp_path: Path) -> None:
    """A tagger's log: neither its lines nor their names say more."""
    log = "".join(f"evaluate:dev\naccuracy: {n}5.0%\nevaluate:test\naccuracy: {n}0.0%\n" for n in range(1, 4))
    view = read(tmp_path, log)
    assert [*signals(view)["validation_accuracy"].values()] == [0.15, 0.25, 0.35]
    assert [*signals(view)["test_accuracy"].values()] == [0.1, 0.2, 0.3]


@pytest.mark.parametrize("line", ["iter 20 loss 2.0", "training loss was 2.0 at iter 20", "[2/9] loss: 2.0"])
def test_an_evaluation_without_known_numbers_hands_its_split_to_nobody(line: str, tmp_path: Path) -> None:
    """Training went on: the line's step or its words say so."""
    found = signals(read(tmp_path, f"iter 10 loss 2.5\nEvaluating...\nBLEU = 31\n{line}\n"))
    assert found.keys() == {"train_loss"}


def test_what_is_announced_is_not_for_numbers_far_below(tmp_path: Path) -> None:
    """What stands there has nothing to do with it."""
    log = "iter 10 loss 2.5\nEvaluating...\n" + "Extracting\n" * 9 + "cost: 61.2\n"
    assert not signals(read(tmp_path, log)).keys() & {"validation_loss", "test_loss"}


def test_the_loss_of_a_gate_is_a_part(tmp_path: Path) -> None:
    """And the split of its neighbour is not its own."""
    log = "Epoch 1 | Loss: 2.5\nEpoch 1 | Train MSE: 0.25 | Gate Loss: 0.5 | Val MSE: 0.75\n"
    assert signals(read(tmp_path, log)) == {"train_loss": {1: 2.5}}


def test_the_first_of_five_is_no_accuracy(tmp_path: Path) -> None:
    """Top-1 is the accuracy, top-5 another."""
    log = "".join(f"Epoch: {n}/50, top 1 acc: 0.2{n}\nEpoch: {n}/50, Top-5 acc: 0.6{n}\n" for n in range(2))
    assert signals(read(tmp_path, log)) == {"train_accuracy": {0: 0.2, 1: 0.21}}


def test_separators_of_thousands_in_steps_are_no_ends_of_numbers(tmp_path: Path) -> None:
    """In the place only: a loss may have a decimal comma, and a list its commas."""
    log = "step   9,900, lr 1e-3 | loss 2.5\nstep  10,000/1,000,000 | loss 2.0, 300, 400\nstep 1,010,000 | loss 1.5\n"
    assert signals(read(tmp_path, log))["train_loss"] == {9900: 2.5, 10_000: 2.0, 1_010_000: 1.5}
    listed = "epoch 1, 200 images, loss 2.5\nepoch 2, 200 images, loss 2.0\n"
    assert signals(read(tmp_path, listed)) == {"train_loss": {1: 2.5, 2: 2.0}}


@pytest.mark.parametrize(
    "log",
    [
        "Epoch {0} trained with loss: 2.5\nEpoch {0} evaluated with loss: 3.5, score: 1\n",
        "Epoch {0}: Validation Index [0]/[10] Training Phase Loss: 2.5\nEpoch {0}: Validation Phase Loss: 3.5\n",
        "Epoch: {0} | T_Loss 2.5 | V_Loss. 3.5\n",
    ],
    ids=["verbs", "the word next to it", "initials"],
)
def test_people_name_splits_in_words_of_their_own(log: str, tmp_path: Path) -> None:
    """The word that stands with the number goes before others on the line."""
    view = read(tmp_path, "".join(log.format(epoch) for epoch in (1, 2)))
    assert signals(view) == {"train_loss": {1: 2.5, 2: 2.5}, "validation_loss": {1: 3.5, 2: 3.5}}


def test_an_initial_alone_names_no_split(tmp_path: Path) -> None:
    """V may be a value function; only beside a T of the same kind it is validation's."""
    assert signals(read(tmp_path, "Epoch 1: loss 2.5 | V_loss 3.5\nEpoch 2: loss 2.25 | V_loss 3.25\n")) == {
        "train_loss": {1: 2.5, 2: 2.25}
    }


def test_what_a_step_costs_in_time_is_no_loss(tmp_path: Path) -> None:
    """MXNet prints it beside the accuracy of every epoch."""
    log = "[Epoch 1] training: accuracy=0.25\n[Epoch 1] speed: 4028 samples/sec\ttime cost: 325.25\n"
    assert signals(read(tmp_path, log)) == {"train_accuracy": {1: 0.25}}
