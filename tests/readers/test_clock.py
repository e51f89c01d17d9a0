"""Lines of a log are put on one axis of steps."""

from __future__ import annotations

import pytest

from trainhealth.readers.clock import Clock
from trainhealth.readers.names import Names
from trainhealth.readers.pairs import Pair, pairs


def steps_of(*lines: str) -> list[int | None]:
    """Return the step at which the clock stands after each line of training."""
    clock, found = Clock(), []
    for line in lines:
        values = {column: pair.value for column, pair in pairs(line, Names()).items()}
        clock.read(line, values, Names(), measured=True, evaluating=False)
        found.append(clock.step)
    return found


@pytest.mark.parametrize(
    ("lines", "steps"),
    [
        (("Epoch: [0][0/10] loss 1", "Epoch: [0][9/10] loss 1", "Epoch: [1][0/10] loss 1"), [0, 9, 10]),
        (("Epoch [1/5], Step [100/600], loss: 1", "Epoch [2/5], Step [100/600], loss: 1"), [100, 700]),
        (("Epoch(train) [1][2/6] loss: 1", "Epoch(train) [2][2/6] loss: 1"), [2, 8]),
        (("Train: 0 [   0/1251 (  0%)]", "Train: 1 [  50/1251 (  4%)]"), [0, 1301]),
        (("Epoch[0] - Iter: [0/13] loss 1", "Epoch[1] - Iter: [0/13] loss 1"), [0, 13]),
        (("epoch 1 iter 5 loss 1", "epoch 1 iter 10 loss 1", "epoch 2 iter 5 loss 1"), [5, 10, 15]),
        (("epoch 1 step 100 loss 1", "epoch 2 step 200 loss 1", "epoch 3 step 300 loss 1"), [100, 200, 300]),
        (("[0/5][50/1583] Loss_D: 1", "[1/5][0/1583] Loss_D: 1"), [50, 1583]),
        (("[1/30] iter: 100/278. loss 1", "[2/30] iter: 100/278. loss 1"), [100, 378]),
        (("Epoch: [0][0] loss 1", "Epoch: [0][50] loss 1", "Epoch: [1][0] loss 1"), [0, 50, 51]),
        (("100%|####| 10/10 [00:01<00:00] loss=1", "100%|####| 10/10 [00:01<00:00] loss=1"), [10, 20]),
        (("epoch=0 i=34/530 loss=1", "epoch=1 i=0/530 loss=1"), [34, 530]),
        (("Epoch 1 batch 100 loss 1", "Epoch 1 Batch #200 loss 1", "Epoch 2 batch 100 loss 1"), [100, 200, 300]),
        (("epoch: 0, batch_id: 500, loss: 1", "epoch: 1, batch_id: 0, loss: 1"), [500, 501]),
        (("epoch 1 batch: 32 loss 1", "epoch 2 batch: 32 loss 1"), [None, None]),
        (("Epoch:1 Done:[64/128 (50%)] Loss:1", "Epoch:2 Done:[64/128 (50%)] Loss:1"), [64, 192]),
        (("Epoch [1/9] - loss 1", "Epoch: [2/9] loss 1"), [None, None]),
        (("Epoch [1/9] lr 1 [200/600] loss 1", "Epoch [2/9] lr 1 [200/600] loss 1"), [200, 800]),
        (
            ("Epoch 1: 100%|#| 28/28 [00:01] loss=1", "Epoch [1/9] loss 1", "Epoch 2: 100%|#| 28/28 [00:01] loss=1"),
            [28, 28, 56],
        ),
        (("train:58 - [0.06%] loss=1", "train:58 - [0.12%] loss=1"), [None, None]),
    ],
)
def test_steps_within_epochs_are_counted_on(lines: tuple[str, ...], steps: list[int]) -> None:
    """By the epoch's length where it is written, else by the last step; steps over all epochs are left alone."""
    assert steps_of(*lines) == steps


def test_a_run_that_begins_again_begins_at_its_step() -> None:
    """An epoch that goes back takes the steps back with it, also where the step does not."""
    lines = ("epoch 1 step 5 loss 1", "epoch 2 step 5 loss 1", "epoch 1 step 5 loss 1", "epoch 2 step 5 loss 1")
    assert steps_of(*lines) == [5, 10, 5, 10]


def test_the_batches_of_an_evaluation_are_no_steps() -> None:
    """It stands where training was."""
    clock = Clock()
    clock.read("Epoch: [0][9/10] loss 1", {}, Names(), measured=True, evaluating=False)
    clock.read("Test: [79/80] loss 1", {}, Names(), measured=True, evaluating=True)
    assert clock.step == 9


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("best val loss: 0.5 loss 0.6", {"loss": Pair("0.6")}),
        ("D loss: 0.5, G loss: 0.6", {"D loss": Pair("0.5"), "G loss": Pair("0.6")}),
        ("3 [D loss: 0.69, acc.: 50.00%] [G loss: 0.71]", {"D loss": Pair("0.69"), "G loss": Pair("0.71")}),
        ("G_GAN: 1.5 G_L1: 20.1", {}),
        ("Accuracy: 9839/10000 (98%)", {"Accuracy": Pair("0.9839")}),
        ("Accuracy of the network on the 10000 test images: 55 %", {"Accuracy %": Pair("55%")}),
        ("Accuracy on Test-Set: 71.38% (7138 / 10000)", {"Accuracy %": Pair("71.38%")}),
        ("the loss is 0.25", {"loss": Pair("0.25")}),
        ("Cost after iteration 100: 0.6931", {"iteration": Pair("100"), "Cost": Pair("0.6931")}),
        ("Test accuracy at step 500: 91.2%", {"step": Pair("500"), "Test accuracy %": Pair("91.2%")}),
        ("Best accuracy at epoch 12: 0.93", {}),  # of whatever epoch this is
        ("loss of iteration 3 : 1.6", {"iteration": Pair("3"), "loss": Pair("1.6")}),
        ("Loss: 1.7, IC loss: 0.4", {"Loss": Pair("1.7")}),
        ("cycle loss: 5.7, identity loss: 0.4", {}),
        ("total_loss=3.8 spectro_loss=1.0 vocoder loss=2.8", {"total_loss": Pair("3.8")}),
        ("the overall loss is 0.3, batch loss 0.4", {"loss": Pair("0.3"), "batch loss": Pair("0.4")}),
        ("conf loss: 0.3", {"loss": Pair("0.3")}),
        ("Calculating loss:  92%|#########2| 12/13 [00:03<00:00]", {}),
        ("loss=nan lr=1e-05", {"loss": Pair("nan"), "lr": Pair("1e-05")}),
        ("loss 2.31 (2.40)", {"loss": Pair("2.31", "2.40")}),
        ("a loss of confidence at 12:30:45", {}),
        ("train 3.41 val 3.52", {"train loss": Pair("3.41"), "val loss": Pair("3.52")}),
        ("val 3.52", {}),
        ("[Best : Accuracy=97.8]", {}),
        ("avg_loss : 1 epoch average loss", {}),
        ("Validation  Accuracy: 0.5", {"Validation Accuracy": Pair("0.5")}),
        ("Loss at epoch 0 and step 500 is 0.25", {"epoch": Pair("0"), "step": Pair("500"), "Loss": Pair("0.25")}),
        ("train: [50000], val: [10000]", {}),
    ],
)
def test_numbers_beside_names(line: str, expected: dict[str, Pair]) -> None:
    """Only those that mean a signal, of now, of this model."""
    assert pairs(line, Names()) == expected
