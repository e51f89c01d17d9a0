"""Where rows of a foreign log stand: steps over all epochs, and steps within one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.readers.reading import read, signals


@pytest.mark.parametrize("order", ["step,global_step", "global_step,step"])
def test_a_step_over_all_epochs_goes_before_one_within_an_epoch(order: str, tmp_path: Path) -> None:
    """Whichever column comes first."""
    rows = [(1, 100, 99, 3.0), (1, 200, 199, 2.5), (2, 100, 349, 2.0)]
    log = f"epoch,{order},loss\n" + "".join(
        f"{epoch},{step},{over_all},{loss}\n" if order.startswith("step") else f"{epoch},{over_all},{step},{loss}\n"
        for epoch, step, over_all, loss in rows
    )
    assert signals(read(tmp_path, log, "loss.csv")) == {"train_loss": {99: 3.0, 199: 2.5, 349: 2.0}}


def test_a_step_that_falls_where_the_epoch_rises_is_counted_on(tmp_path: Path) -> None:
    """From 0 or from 1, and for the validation's rows as well: all of it is one run."""
    from_zero = "epoch,step,loss,val_loss\n0,0,3,\n0,50,2,\n0,50,,4\n1,0,1.5,\n1,50,1,\n1,50,,3\n2,0,0.5,\n"
    view = read(tmp_path, from_zero, "loss.csv")
    assert signals(view) == {
        "train_loss": {0: 3.0, 50: 2.0, 51: 1.5, 101: 1.0, 102: 0.5},
        "validation_loss": {50: 4.0, 101: 3.0},
    }
    from_one = "epoch,iter,loss\n1,1,3\n1,2,2\n2,1,1.5\n2,2,1\n"
    assert signals(read(tmp_path, from_one, "loss.csv")) == {"train_loss": {1: 3.0, 2: 2.0, 3: 1.5, 4: 1.0}}


def test_steps_within_epochs_that_begin_with_the_first_epoch_are_another_run(tmp_path: Path) -> None:
    """The epoch falls back as well: the file was appended to."""
    log = "epoch,step,loss\n" + "0,0,3\n0,9,2.5\n1,0,2\n1,9,1.5\n" + "0,0,7\n0,9,6\n1,0,5\n"
    view = read(tmp_path, log, "loss.csv")
    assert signals(view) == {"train_loss": {0: 7.0, 9: 6.0, 10: 5.0}}
    assert [event.data["runs"] for event in view.events if event.event == "another-run"] == [2]


def test_a_run_that_was_resumed_in_an_epoch_goes_on_there(tmp_path: Path) -> None:
    """What had been logged of that epoch and the later ones is replaced."""
    log = "epoch,step,loss\n0,0,3\n0,9,2.5\n1,0,2\n1,9,1.5\n2,0,1\n" + "1,0,9\n1,9,8\n2,0,7\n"
    view = read(tmp_path, log, "loss.csv")
    assert signals(view) == {"train_loss": {0: 3.0, 9: 2.5, 10: 9.0, 19: 8.0, 20: 7.0}}


def test_a_step_that_falls_within_an_epoch_is_no_new_epoch(tmp_path: Path) -> None:
    """It was resumed there, as without epochs."""
    view = read(tmp_path, "epoch,step,loss\n0,1,3\n0,2,2\n0,3,1\n0,2,1.9\n", "loss.csv")
    assert signals(view) == {"train_loss": {1: 3.0, 2: 1.9}}


@pytest.mark.parametrize(
    "printed",
    [
        "tensor({0}, device='cuda:0', grad_fn=<DivBackward0>)",
        "np.float64({0})",
        "tf.Tensor({0}, shape=(), dtype=float32)",
        "<tf.Tensor: shape=(), dtype=float32, numpy={0}>",
        "tensor([[{0}]])",
    ],
)
@pytest.mark.parametrize(
    "log",
    ['epoch,loss\n1,"{0}"\n2,"{1}"\n', "Epoch 1, loss: {0}\nEpoch 2, loss: {1}\n", "{{'epoch': 1, 'loss': {0}}}\n" * 2],
    ids=["table", "text", "dictionary"],
)
def test_a_number_that_was_printed_as_an_array_is_a_number(log: str, printed: str, tmp_path: Path) -> None:
    """Whoever forgets `.item()` gets such logs."""
    found = signals(read(tmp_path, log.format(printed.format("2.5"), printed.format("nan"))))
    assert found["train_loss"][1] == 2.5


def test_an_array_of_several_numbers_is_none(tmp_path: Path) -> None:
    """Which of them is the loss nobody knows."""
    log = "epoch,loss,acc\n1,tensor([2.5 1.5]),0.5\n2,tensor([2.0 1.0]),0.5\n"
    assert signals(read(tmp_path, log, "log.csv")) == {"train_accuracy": {1: 0.5, 2: 0.5}}
