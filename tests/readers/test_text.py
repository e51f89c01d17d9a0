"""What training scripts print: each sample is modelled on what a well-known script really writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.readers.reading import read, signals

NANOGPT = """\
number of parameters: 123.59M
step 0: train loss 4.2874, val loss 4.2823
iter 0: loss 4.2654, time 27904.10ms, mfu -100.00%
iter 10: loss 3.2438, time 64.12ms, mfu 5.80%
step 250: train loss 1.9612, val loss 2.0643
iter 250: loss 2.0000, time 100.1ms, mfu 5.11%
"""
LLM_C = "s:0 tel:11.0071\ns:0 trl:11.0105 lr:0.00e+00 norm:15.31\ns:1 trl:10.98 lr:1.2e-06 norm:15.3\ns:250 tel:6.5\n"
MODDED_NANOGPT = """\
import torch
def main():
    loss = 0.5
    print(f"step:{step}/{n} val_loss:{val_loss:.4f} loss: 3.1")
====================================================================================================
step:0/3375 val_loss:10.8258 train_time:0ms step_avg:nanms
step:125/3375 val_loss:4.8512 train_time:56100ms step_avg:448.80ms
"""
TIMM = """\
Train: 0 [   0/1251 (  0%)]  Loss: 6.932 (6.93)  Time: 3.5s,  289.15/s  LR: 1.000e-05  Data: 1.2 (1.2)
Train: 0 [1250/1251 (100%)]  Loss: 6.5 (6.7)  Time: 0.3s  LR: 1.000e-05  Data: 0.01 (0.04)
Test: [   0/48]  Time: 2.0 (2.0)  Loss:   6.9021 (6.9021)  Acc@1:   0.0977 (  0.0977)  Acc@5:   0.58 (  0.58)
Test: [  48/48]  Time: 0.1 (0.4)  Loss:   6.8000 (6.7500)  Acc@1:   4.0000 (  1.6000)  Acc@5:   4.00 (  5.00)
*** Best metric: 1.5 (epoch 0)
Train: 1 [   0/1251 (  0%)]  Loss: 6.4 (6.4)  Time: 3.5s  LR: 2.000e-05  Data: 1.2 (1.2)
"""
KERAS = (
    "Epoch 1/2\n 1/10 [==>...........................] - ETA: 3s - loss: 2.5000 - accuracy: 0.1000"
    + "\b" * 80
    + "10/10 [==============================] - 1s 10ms/step - loss: 2.3012 - accuracy: 0.1100 - val_loss: 2.2000\n"
    "Epoch 2/2\n 5/10 [=======>......................] - ETA: 0s - loss: 2.1000\n"
    "10/10 [==============================] - 1s 10ms/step - loss: 1.9000 - accuracy: 0.3100 - val_loss: 1.8000\n"
    "313/313 [==============================] - 0s 1ms/step - loss: 1.7000 - accuracy: 0.4400\n"
)
KERAS_3 = """\
Epoch 1/2
\x1b[1m 3/10\x1b[0m \x1b[32m━━\x1b[0m\x1b[37m━━━\x1b[0m \x1b[1m2s\x1b[0m 264ms/step - accuracy: 0.09 - loss: 2.4000
\x1b[1m10/10\x1b[0m \x1b[32m━━━━\x1b[0m \x1b[1m1s\x1b[0m 20ms/step - accuracy: 0.2000 - loss: 2.2000
\x1b[1m10/10\x1b[0m \x1b[32m━━━━\x1b[0m \x1b[1m1s\x1b[0m 20ms/step - accuracy: 0.2 - loss: 2.2 - val_loss: 2.0
Epoch 2/2
\x1b[1m10/10\x1b[0m \x1b[32m━━━━\x1b[0m \x1b[1m1s\x1b[0m 20ms/step - accuracy: 0.4 - loss: 1.8 - val_loss: 1.7
"""
PYTORCH_MNIST = """\
Train Epoch: 1 [0/60000 (0%)]\tLoss: 2.300039
Train Epoch: 1 [59840/60000 (99%)]\tLoss: 0.2

Test set: Average loss: 0.0493, Accuracy: 9839/10000 (98%)

Train Epoch: 2 [0/60000 (0%)]\tLoss: 0.1
"""
PYTORCH_QUICKSTART = """\
Epoch 1
-------------------------------
loss: 2.303494  [   64/60000]
loss: 2.294637  [ 6464/60000]
Test Error:\x20
 Accuracy: 51.5%, Avg loss: 2.150765\x20

Epoch 2
-------------------------------
loss: 2.160000  [   64/60000]
"""
PYTORCH_IMAGENET = """\
Epoch: [0][  0/391]\tTime  5.2 ( 5.2)\tLoss 2.4e+00 (2.4e+00)\tAcc@1   9.38 (  9.38)\tAcc@5  50.0 ( 50.0)
Epoch: [0][ 10/391]\tTime  0.2 ( 0.6)\tLoss 2.3e+00 (2.3e+00)\tAcc@1  12.00 ( 10.00)\tAcc@5  52.0 ( 51.0)
Test: [ 0/79]\tTime  0.9 ( 0.9)\tLoss 2.2e+00 (2.2e+00)\tAcc@1  20.00 ( 20.00)\tAcc@5  70.3 ( 70.3)
 *   Acc@1 22.100 Acc@5 70.3
Epoch: [1][  0/391]\tTime  5.2 ( 5.2)\tLoss 2.1e+00 (2.1e+00)\tAcc@1  25.00 ( 25.00)\tAcc@5  50.0 ( 50.0)
"""
PYTORCH_CIFAR = """\
[1,  2000] loss: 2.187
[1,  4000] loss: 1.842
[2,  2000] loss: 1.404
Accuracy of the network on the 10000 test images: 55 %
"""
TRANSFER_LEARNING = """\
Epoch 0/1
----------
train Loss: 0.4769 Acc: 0.7582
val Loss: 0.2869 Acc: 0.8954

Epoch 1/1
----------
train Loss: 0.3510 Acc: 0.8012
val Loss: 0.2711 Acc: 0.9012

Training complete in 1m 5s
Best val Acc: 0.901200
"""
MEGATRON = """\
 iteration       10/     500 | elapsed time per iteration (ms): 300.5 | learning rate: 1.5E-05 | lm loss: 1.0E+01 |
 iteration       20/     500 | elapsed time per iteration (ms): 300.5 | learning rate: 1.6E-05 | lm loss: 9.0E+00 |
 validation loss at iteration 20 | lm loss value: 9.2E+00 | lm loss PPL: 1.0E+04 |
"""
MMENGINE = """\
06/05 20:15:24 - mmengine - INFO - Epoch(train)   [1][2/6]  lr: 4.0e-03  eta: 3:38:03  time: 7.4  loss: 0.39
06/05 20:15:30 - mmengine - INFO - Epoch(train)   [2][2/6]  lr: 4.0e-03  eta: 3:38:03  time: 7.4  loss: 0.37
06/05 20:15:39 - mmengine - INFO - Epoch(val) [2][2/2]    accuracy/top1: 43.2000  data_time: 0.1
"""
OLMO = """\
2025-12-12 16:13:02.865\thost:0\tolmo.train:966\tINFO\t[step=1/1000,epoch=0]
    optim/total_grad_norm=7.2
    train/CrossEntropyLoss=11.36
2025-12-12 16:13:04.112\thost:0\tolmo.train:966\tINFO\t[step=2/1000,epoch=0]
    train/CrossEntropyLoss=11.21
"""
SEPARATORS = "-----0------\ntrain loss: 2.3\nval loss: 2.2\n-----1------\ntrain loss: 2.1\nval loss: 2.0\n"
NO_PLACE = "Train Loss: 0.51 Acc: 0.77\nVal Loss: 0.61 Acc: 0.7\nTrain Loss: 0.41 Acc: 0.8\nVal Loss: 0.6 Acc: 0.71\n"
BARE_SPLITS = "[train] iter 10: loss 3.5\n[eval] iter 20: train 3.41 val 3.52\n[train] iter 30: loss 3.3\n"
LIGHTNING_BAR = (
    "Epoch 0:  50%|#####     | 5/10 [00:01<00:01,  4.5it/s, v_num=3, train_loss=2.31]\r"
    "Epoch 0: 100%|##########| 10/10 [00:02<00:00, 4.5it/s, v_num=3, train_loss=2.10, val_loss=2.05]\n"
    "Epoch 1: 100%|##########| 10/10 [00:02<00:00, 4.5it/s, v_num=3, train_loss=1.90, val_loss=1.95]\n"
)
TORCHTUNE = "Step 1 | loss:1.5234 lr:2e-05 tokens_per_second_per_gpu:1200.5 grad_norm:3.2\nStep 2 | loss:1.4 lr:2e-05\n"
FASTAI = (
    "epoch     train_loss  valid_loss  accuracy  time    \n0         1.2345      1.1234      0.5678    00:12     \n"
)
NOTEBOOK = "| Epoch | Training Loss | Validation Loss |\n|-------|---------------|------|\n| 1 | 0.51 | 0.62 |\n"
GAN = "[Epoch 0/200] [Batch 10/938] [D loss: 0.6] [G loss: 0.7]\nEpoch 1: loss 0.5\n"
ROUNDED = "Epoch 1: loss 0.5 lr: 0.00100\nEpoch 2: loss 0.4 lr: 0.00000\n"


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (
            NANOGPT,
            {"train_loss": {0: 4.2654, 10: 3.2438, 250: 2.0}, "validation_loss": {0: 4.2823, 250: 2.0643}},
        ),
        (
            LLM_C,
            {
                "train_loss": {0: 11.0105, 1: 10.98},
                "validation_loss": {0: 11.0071, 250: 6.5},
                "learning_rate": {0: 0.0, 1: 1.2e-06},
            },
        ),
        (MODDED_NANOGPT, {"validation_loss": {0: 10.8258, 125: 4.8512}}),
        (
            TIMM,
            {
                "train_loss": {0: 6.932, 1250: 6.5, 1251: 6.4},
                "learning_rate": {0: 1e-05, 1250: 1e-05, 1251: 2e-05},
                "test_loss": {1250: 6.75},
                "test_accuracy": {1250: 0.016},
            },
        ),
        (
            KERAS,
            {
                "train_loss": {1: 2.3012, 2: 1.9},
                "train_accuracy": {1: 0.11, 2: 0.31},
                "validation_loss": {1: 2.2, 2: 1.8},
                "test_loss": {2: 1.7},
                "test_accuracy": {2: 0.44},
            },
        ),
        (
            KERAS_3,
            {
                "train_loss": {1: 2.2, 2: 1.8},
                "train_accuracy": {1: 0.2, 2: 0.4},
                "validation_loss": {1: 2.0, 2: 1.7},
            },
        ),
        (
            PYTORCH_MNIST,
            {
                "train_loss": {0: 2.300039, 59840: 0.2, 60000: 0.1},
                "test_loss": {59840: 0.0493},
                "test_accuracy": {59840: 0.9839},
            },
        ),
        (
            PYTORCH_QUICKSTART,
            {
                "train_loss": {64: 2.303494, 6464: 2.294637, 60064: 2.16},
                "test_loss": {6464: 2.150765},
                "test_accuracy": {6464: 0.515},
            },
        ),
        (
            PYTORCH_IMAGENET,
            {
                "train_loss": {0: 2.4, 10: 2.3, 391: 2.1},
                "train_accuracy": {0: 0.0938, 10: 0.12, 391: 0.25},
                "test_loss": {10: 2.2},
                "test_accuracy": {10: 0.221},
            },
        ),
        (PYTORCH_CIFAR, {"train_loss": {2000: 2.187, 4000: 1.842, 6000: 1.404}, "test_accuracy": {6000: 0.55}}),
        (
            TRANSFER_LEARNING,
            {
                "train_loss": {0: 0.4769, 1: 0.351},
                "train_accuracy": {0: 0.7582, 1: 0.8012},
                "validation_loss": {0: 0.2869, 1: 0.2711},
                "validation_accuracy": {0: 0.8954, 1: 0.9012},
            },
        ),
        (
            MEGATRON,
            {
                "train_loss": {10: 10.0, 20: 9.0},
                "learning_rate": {10: 1.5e-05, 20: 1.6e-05},
                "validation_loss": {20: 9.2},
            },
        ),
        (
            MMENGINE,
            {
                "train_loss": {2: 0.39, 8: 0.37},
                "learning_rate": {2: 0.004, 8: 0.004},
                "validation_accuracy": {8: 0.432},
            },
        ),
        (OLMO, {"train_loss": {1: 11.36, 2: 11.21}}),
        (SEPARATORS, {"train_loss": {0: 2.3, 1: 2.1}, "validation_loss": {0: 2.2, 1: 2.0}}),
        (
            NO_PLACE,
            {
                "train_loss": {0: 0.51, 1: 0.41},
                "train_accuracy": {0: 0.77, 1: 0.8},
                "validation_loss": {0: 0.61, 1: 0.6},
                "validation_accuracy": {0: 0.7, 1: 0.71},
            },
        ),
        (BARE_SPLITS, {"train_loss": {10: 3.5, 30: 3.3}, "validation_loss": {20: 3.52}}),
        (LIGHTNING_BAR, {"train_loss": {10: 2.1, 20: 1.9}, "validation_loss": {10: 2.05, 20: 1.95}}),
        (
            TORCHTUNE,
            {
                "train_loss": {1: 1.5234, 2: 1.4},
                "learning_rate": {1: 2e-05, 2: 2e-05},
                "gradient_norm": {1: 3.2},
            },
        ),
        (FASTAI, {"train_loss": {0: 1.2345}, "validation_loss": {0: 1.1234}, "validation_accuracy": {0: 0.5678}}),
        (NOTEBOOK, {"train_loss": {1: 0.51}, "validation_loss": {1: 0.62}}),
        (GAN, {"train_loss": {10: 0.5}}),
        (ROUNDED, {"train_loss": {1: 0.5, 2: 0.4}, "learning_rate": {1: 0.001}}),
    ],
    ids=[
        "nanoGPT",
        "llm.c",
        "modded-nanogpt",
        "timm",
        "Keras 2",
        "Keras 3",
        "PyTorch's MNIST",
        "PyTorch's quickstart",
        "PyTorch's ImageNet",
        "PyTorch's CIFAR",
        "PyTorch's transfer learning",
        "Megatron",
        "MMEngine",
        "OLMo",
        "separators",
        "no epoch and no step",
        "bare names of splits",
        "Lightning's progress bar",
        "torchtune",
        "fastai's table",
        "a notebook's table",
        "GAN: its two losses are none that has to fall",
        "a rate that is printed as zero",
    ],
)
def test_a_scripts_output_becomes_its_curves(tmp_path: Path, log: str, expected: dict[str, dict[int, float]]) -> None:
    """On one axis, with the split that each line belongs to."""
    found = signals(read(tmp_path, log))
    assert found.keys() == expected.keys()
    for name, series in expected.items():
        assert found[name] == pytest.approx(series), name


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "gbk"])
def test_other_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    """Windows' consoles write UTF-16, Chinese ones GBK: what stands between names and numbers does not matter."""
    log = "轮次 Epoch 1: train loss: 0.5 验证 val loss: 0.6\n轮次 Epoch 2: train loss: 0.4 验证 val loss: 0.5\n"
    found = signals(read(tmp_path, log.encode(encoding)))
    assert found == {"train_loss": {1: 0.5, 2: 0.4}, "validation_loss": {1: 0.6, 2: 0.5}}


def test_a_progress_bar_of_carriage_returns_counts_once(tmp_path: Path) -> None:
    """What the next state overwrites was never on the screen for long."""
    log = "Epoch 1: loss 0.9\rEpoch 1: loss 0.5\r\nEpoch 2: loss 0.4\r\r\n"
    assert signals(read(tmp_path, log)) == {"train_loss": {1: 0.5, 2: 0.4}}


def test_the_last_of_several_runs_is_read_and_the_log_says_how_many_there_were(tmp_path: Path) -> None:
    """Epochs that begin again are another run."""
    log = "".join(f"Epoch {epoch}: loss {run}.{epoch}\n" for run in (3, 2, 1) for epoch in range(1, 4))
    view = read(tmp_path, log)
    assert signals(view) == {"train_loss": {1: 1.1, 2: 1.2, 3: 1.3}}
    assert [event.data["runs"] for event in view.events if event.event == "another-run"] == [2, 3]


def test_a_resumed_run_goes_on_where_it_was_resumed(tmp_path: Path) -> None:
    """What had been logged behind that step is replaced."""
    log = "".join(f"iter {step}: loss {step / 10}\n" for step in (1, 2, 3, 4)) + "iter 3: loss 9\niter 4: loss 8\n"
    assert signals(read(tmp_path, log)) == {"train_loss": {1: 0.1, 2: 0.2, 3: 9.0, 4: 8.0}}


KERAS_EPOCH = "Epoch {0}/3\n10/10 [==============================] - 1s 10ms/step - loss: 0.{0} - val_loss: 0.5\n"


def test_a_summary_at_the_end_replaces_nothing(tmp_path: Path) -> None:
    """A dictionary without a place, among lines that have theirs, tells of the curves' end; only what is new counts."""
    log = "".join(KERAS_EPOCH.format(epoch) for epoch in (1, 2, 3))
    assert signals(read(tmp_path, log + "Info:{'loss': 0.05, 'test_loss': 0.07, 'train_size': 60}\n")) == {
        "train_loss": {1: 0.1, 2: 0.2, 3: 0.3},
        "validation_loss": {1: 0.5, 2: 0.5, 3: 0.5},
        "test_loss": {3: 0.07},
    }


def test_the_best_epoch_so_far_is_not_the_present_one(tmp_path: Path) -> None:
    """Behind the losses of each epoch, or on a line of its own."""
    log = "".join(f"Epoch {n} loss: 0.{9 - n} best epoch: {max(n - 1, 1)}\nBest epoch: 1\n" for n in range(1, 5))
    assert signals(read(tmp_path, log)) == {"train_loss": {1: 0.8, 2: 0.7, 3: 0.6, 4: 0.5}}


def test_dictionaries_alone_are_a_log(tmp_path: Path) -> None:
    """They are no summary of anything."""
    log = "Epoch 1\n{'loss': 0.5}\nEpoch 2\n{'loss': 0.4}\n"
    assert signals(read(tmp_path, log)) == {"train_loss": {0: 0.5, 1: 0.4}}


def test_a_bar_that_is_printed_twice_is_one_epoch(tmp_path: Path) -> None:
    """Keras's callbacks print their line between the bar of training and the one with the validation."""
    bar = "10/10 ━━━━━━━━━━━━━━━━━━━━ 1s 20ms/step - loss: 0.{epoch}"
    told = "Epoch {epoch}: val_loss improved from inf to 0.5, saving model to best.keras"
    log = "".join(
        "\n".join(("Epoch {epoch}/2", bar, told, f"{bar} - val_loss: 0.5", "")).format(epoch=epoch) for epoch in (1, 2)
    )
    view = read(tmp_path, log)
    assert signals(view) == {"train_loss": {1: 0.1, 2: 0.2}, "validation_loss": {1: 0.5, 2: 0.5}}
    assert view.series("train_loss").values.tolist() == [0.1, 0.2]


def test_the_first_bar_is_trainings_also_where_no_epoch_is_printed(tmp_path: Path) -> None:
    """A bar of another length behind it is that of an evaluation."""
    bars = "".join(f"{n}/{n} [====================] - 0s 1ms/step - loss: 0.{n}\n" for n in (4, 2))
    assert signals(read(tmp_path, bars)) == {"train_loss": {0: 0.4}, "test_loss": {0: 0.2}}


def test_a_log_without_a_loss_is_no_curve(tmp_path: Path) -> None:
    """Numbers beside other names are not guessed at."""
    log = "Epoch 1: G_GAN: 1.5 G_L1: 20.1 D_real: 0.6\nEpoch 2: loss 0.5\n"
    assert signals(read(tmp_path, log)) == {"train_loss": {2: 0.5}}


@pytest.mark.parametrize(
    "line",
    [
        "Epoch" + " " * 3000 + "x loss: 0.5",
        "loss" + " " * 3000 + ":" + " " * 3000 + "x",
        "loss " + "x" * 50_000,
        "loss " + "a/" * 20_000,
        "loss " + "1_" * 20_000 + "x",
        "test" * 20_000 + ":",
        "1/" + "9" * 5000 + " - loss: 0.5",
        "Epoch: [" + "9" * 5000 + "][1/2] loss: 0.5",
        "loss {'a': 1if 2 else 3}",
    ],
    ids=["spaces", "spaces around a colon", "letters", "a path", "digits", "a word", "a bar", "an epoch", "a program"],
)
def test_no_line_takes_long_or_says_more_than_it_does(
    line: str, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    """Time is linear in a line's length (a pattern that tried all ways would take hours), and nothing is raised."""
    view = read(tmp_path, f"Epoch 1: loss 0.75\n{line}\nEpoch 2: loss 0.5\n")
    assert [*signals(view)["train_loss"].values()][-1] == 0.5
    assert not recwarn.list
