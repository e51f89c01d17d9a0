"""Text: where a number stands, and numbers that stand there without having been measured there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.readers.reading import read, said, signals


@pytest.mark.parametrize(
    ("log", "steps"),
    [
        ("Loss at epoch 0 and iteration 500 is 2.5\nLoss at epoch 0 and iteration 1000 is 2.25\n", [500, 1000]),
        ("Train loss at epoch 1, step 20: 2.5\nTrain loss at epoch 1, step 40: 2.25\n", [20, 40]),
        ("The loss of epoch0is:tf.Tensor(2.5, shape=(), dtype=float32)\nThe loss of epoch1is:2.25\n", [0, 1]),
    ],
    ids=["two places", "after a comma", "without blanks"],
)
def test_sentences_say_where_a_loss_was(log: str, steps: list[int], tmp_path: Path) -> None:
    """In words, not in columns."""
    assert signals(read(tmp_path, log)) == {"train_loss": dict(zip(steps, (2.5, 2.25), strict=True))}


@pytest.mark.parametrize(
    "line", ["epoch :{0} --> 2.{0}5", "epoch{0}\t2.{0}5", "Epoch [{0}]: 2.{0}5", "epoch={0}, 2.{0}5"]
)
def test_a_number_without_a_name_is_what_the_file_is_called_after(line: str, tmp_path: Path) -> None:
    """Only beside a place, and only where the file's name says it."""
    log = "".join(line.format(epoch) + "\n" for epoch in range(3))
    assert signals(read(tmp_path, log, "train_loss_linear.txt")) == {"train_loss": {0: 2.05, 1: 2.15, 2: 2.25}}
    assert signals(read(tmp_path, log, "val_loss.log")) == {"validation_loss": {0: 2.05, 1: 2.15, 2: 2.25}}


def test_the_mean_over_an_epoch_is_no_value_of_a_step(tmp_path: Path) -> None:
    """It has the name of the batches' losses, and lies above them where the loss falls fast."""
    log = "".join(
        f"Epoch {epoch} Batch {batch} Loss {5 - epoch}.{batch // 10}\n" + f"Epoch {epoch} Loss 9.5\n" * (batch == 20)
        for epoch in (1, 2)
        for batch in (10, 20)
    )
    view = read(tmp_path, log)
    assert signals(view) == {"train_loss": {10: 4.1, 20: 4.2, 30: 3.1, 40: 3.2}}
    assert view.scalars["epoch Loss"].values.tolist() == [9.5, 9.5]


def test_caffe_prints_a_mean_over_batches_and_the_last_of_them(tmp_path: Path) -> None:
    """The mean is the loss; the other one is kept below a name of its own."""
    log = "".join(
        f"I0821 09:30:57 solver.cpp:222] Iteration {at}, loss = {mean}\n"
        f"I0821 09:30:57 solver.cpp:238]     Train net output #0: loss = 7.5 (* 1 = 7.5 loss)\n"
        for at, mean in ((0, 2.5), (100, 2.25))
    )
    assert signals(read(tmp_path, log)) == {"train_loss": {0: 2.5, 100: 2.25}}


@pytest.mark.parametrize(
    "line",
    [
        "[Epoch={0}/3] [lr=0.1] [Best : Accuracy=99.5]",
        "Epoch {0} finished (best: acc 0.995)",
        "- avg_loss : 1 epoch average loss , l : total loss",
    ],
)
def test_the_best_so_far_and_an_explanation_were_not_measured_there(line: str, tmp_path: Path) -> None:
    """They stand among the lines of the curve."""
    log = "".join(f"{line.format(epoch)}\nEpoch {epoch}: loss 2.{epoch}5\n" for epoch in (1, 2, 3))
    assert signals(read(tmp_path, log)) == {"train_loss": {1: 2.15, 2: 2.25, 3: 2.35}}


def test_two_blanks_within_a_name_are_one(tmp_path: Path) -> None:
    """Somebody typed them twice."""
    log = "Epoch: 1 \tTraining Loss: 0.5 \tValidation  Loss: 0.75 \tValidation  Accuracy: 0.25\n"
    view = read(tmp_path, log)
    assert signals(view) == {"train_loss": {1: 0.5}, "validation_loss": {1: 0.75}, "validation_accuracy": {1: 0.25}}
    assert "Validation Loss is read as validation_loss" in said(view)


def test_a_dictionary_in_a_dictionary_is_read(tmp_path: Path) -> None:
    """Behind the step, which stands in the dictionary, too."""
    log = "".join(
        f'Step:{at}\t{{"metric": {{"eval_acc": 0.5, "eval_loss": 2.5}}, "step": {at}}}\n' for at in (200, 400)
    )
    assert signals(read(tmp_path, log)) == {
        "validation_accuracy": {200: 0.5, 400: 0.5},
        "validation_loss": {200: 2.5, 400: 2.5},
    }
