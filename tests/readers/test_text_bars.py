"""What progress bars leave in a text log."""

from __future__ import annotations

from pathlib import Path

from tests.readers.reading import read, signals


def test_a_row_before_which_no_line_ends_is_read(tmp_path: Path) -> None:
    """tqdm goes on in the line of a dictionary that was printed without an end."""
    log = (
        "{'loss': '2.5', 'epoch': '0.5'}\r 50%|#####     | 5/10 [00:01<00:01]\n"
        "{'eval_loss': '2.75', 'epoch': '1'}\r100%|##########| 10/10 [00:02<00:00]\n"
        "{'loss': '2.0', 'epoch': '1.5'}\n"
    )
    found = signals(read(tmp_path, log))
    assert [*found["train_loss"].values()] == [2.5, 2.0]
    assert [*found["validation_loss"].values()] == [2.75]


def test_a_bar_without_an_end_is_no_epoch(tmp_path: Path) -> None:
    """Keras does not know the length of its first one."""
    log = (
        "Epoch 1/2\n      4/Unknown 13s 3s/step - loss: 3.0 UserWarning: Your input ran out of data\n"
        "4/4 [==============================] - 27s 8s/step - loss: 2.5 - val_loss: 2.75\n"
        "Epoch 2/2\n4/4 [==============================] - 20s 5s/step - loss: 2.0 - val_loss: 2.25\n"
    )
    assert signals(read(tmp_path, log)) == {"train_loss": {1: 2.5, 2: 2.0}, "validation_loss": {1: 2.75, 2: 2.25}}
