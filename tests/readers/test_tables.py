"""Tables: generic ones, and those of tools whose columns need more than a name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.readers.reading import read, said, signals
from trainhealth.readers.table import TableReader

YOLOV5 = "\n".join(  # every name and number is padded to twenty places
    ",".join(f"{cell:>20}" for cell in row)
    for row in (
        (
            "epoch",
            "train/box_loss",
            "train/obj_loss",
            "val/box_loss",
            "val/obj_loss",
            "metrics/mAP_0.5",
            "x/lr0",
            "x/lr1",
        ),
        (0, 0.1, 0.2, 0.15, 0.25, 0.006, 0.1, 0.001),
        (1, 0.05, 0.15, 0.1, 0.25, 0.01, 0.08, 0.002),
    )
)
YOLOV8_CLASSIFY = """\
epoch,time,train/loss,metrics/accuracy_top1,metrics/accuracy_top5,val/loss,lr/pg0,lr/pg1,lr/pg2
1,21.6,1.61,0.22,1,1.57,0.07,7e-05,7e-05
2,43.2,1.38,0.6,1,1.25,0.06,0.0001,0.0001
"""


def test_yolos_losses_are_the_sums_of_their_parts(tmp_path: Path) -> None:
    """The user is told; the rate is that of the weights, since biases have their own warm-up."""
    view = read(tmp_path, YOLOV5, "results.csv")
    assert view.format == "ultralytics"
    found = signals(view)
    assert found["train_loss"] == pytest.approx({0: 0.3, 1: 0.2})
    assert found["validation_loss"] == pytest.approx({0: 0.4, 1: 0.35})
    assert found["learning_rate"] == {0: 0.001, 1: 0.002}
    assert "train/box_loss + train/obj_loss is read as train_loss: their sum" in said(view)
    assert "epoch: an axis, which begins at 0" in said(view)


def test_ultralytics_metrics_are_of_the_validation_split(tmp_path: Path) -> None:
    """Whole losses are read as they are, and epochs begin at 1."""
    found = signals(view := read(tmp_path, YOLOV8_CLASSIFY, "results.csv"))
    assert found["validation_accuracy"] == {1: 0.22, 2: 0.6}
    assert "train_accuracy" not in found
    assert found["train_loss"] == {1: 1.61, 2: 1.38}
    assert found["learning_rate"] == {1: 7e-05, 2: 0.0001}
    assert "epoch: an axis, which begins at 1" in said(view)


def test_lightnings_rows_are_sparse(tmp_path: Path) -> None:
    """The steps' loss is finer than the epochs', and validation stands on rows of its own."""
    log = (
        "epoch,lr-AdamW,step,train_loss_epoch,train_loss_step,val_acc,val_loss\r\n"
        "0,0.001,49,,2.31,,\r\n0,,99,,2.05,,\r\n0,,99,,,0.41,1.98\r\n0,,99,2.18,,,\r\n1,,149,,1.9,,\r\n"
    )
    view = read(tmp_path, log, "metrics.csv")
    assert view.format == "lightning"
    assert signals(view) == {
        "train_loss": {49: 2.31, 99: 2.05, 149: 1.9},
        "validation_loss": {99: 1.98},
        "validation_accuracy": {99: 0.41},
        "learning_rate": {49: 0.001},
    }
    assert not view.skipped


def test_timms_accuracies_are_per_cent_from_the_first_epoch_on(tmp_path: Path) -> None:
    """One tenth of a per cent is no tenth."""
    log = "epoch,train_loss,eval_loss,eval_top1,eval_top5,lr\n0,6.93,6.91,0.1,0.5,1e-05\n1,6.9,6.88,0.4,1.5,2e-05\n"
    view = read(tmp_path, log, "summary.csv")
    assert view.format == "timm"
    assert signals(view)["validation_accuracy"] == pytest.approx({0: 0.001, 1: 0.004})
    assert "in per cent" in said(view)


def test_fastais_metrics_are_of_the_validation_split(tmp_path: Path) -> None:
    """Its times are no numbers and no reason to skip a row."""
    log = "epoch,train_loss,valid_loss,accuracy,time\n0,1.2,1.1,0.5,00:12\n1,1.0,None,0.6,00:12\n"
    view = read(tmp_path, log, "history.csv")
    assert view.format == "fastai"
    assert signals(view) == {
        "train_loss": {0: 1.2, 1: 1.0},
        "validation_loss": {0: 1.1},
        "validation_accuracy": {0: 0.5, 1: 0.6},
    }
    assert not view.skipped


@pytest.mark.parametrize(
    "log",
    [
        "rollout/ep_rew_mean,time/total_timesteps,train/loss,train/value_loss\r\r\n22.1,2048,5.5,31\r\r\n25,4096,9,40\r\r\n",
        '#{"t_start": 1595849462.74, "env_id": "CartPole-v1"}\nr,l,t\n1.0,771,12.4\n0.0,575,19.4\n',
        "EpRewMean,EpLenMean,TimestepsSoFar,loss\n1.0,20,2048,0.1\n2.0,22,4096,0.3\n",
    ],
    ids=["progress", "monitor", "Baselines"],
)
def test_losses_of_reinforcement_learning_are_not_judged(tmp_path: Path, log: str) -> None:
    """They need not fall: no rule that judges losses reads them."""
    view = read(tmp_path, log, "progress.csv")
    assert view.format == "stable-baselines"
    assert signals(view) == {}


def test_a_reward_that_is_null_makes_no_reinforcement_learning_of_json(tmp_path: Path) -> None:
    """LLaMA-Factory wrote the key in every row; and a line of JSON is no header, though it has commas."""
    log = "".join(f'{{"current_steps": {at}, "loss": {9 - at}, "reward": null, "lr": 0.1}}\n' for at in (1, 2))
    view = read(tmp_path, log, "trainer_log.jsonl")
    assert signals(view) == {"train_loss": {1: 8.0, 2: 7.0}, "learning_rate": {1: 0.1, 2: 0.1}}


def test_a_new_header_names_the_columns_from_there_on(tmp_path: Path) -> None:
    """Old Stable-Baselines writes one before every row."""
    log = "step,loss\n1,2.0\nstep,loss\n2,1.5\nstep,val_loss,loss\n3,1.6,1.2\n"
    view = read(tmp_path, log, "log.csv")
    assert signals(view) == {"train_loss": {1: 2.0, 2: 1.5, 3: 1.2}, "validation_loss": {3: 1.6}}
    assert not view.skipped


def test_a_chart_saved_from_weights_and_biases(tmp_path: Path) -> None:
    """The run's name stands before the metric's; bounds are left out, and so are other runs."""
    log = (
        '"Step","a-1 - lm_loss","a-1 - lm_loss__MIN","a-1 - lm_loss__MAX","b-2 - lm_loss"\n'
        '"99","2.5","2.4","2.6","9"\n"250","2.0","1.9","2.1","9"\n'
    )
    view = read(tmp_path, log, "wandb_export.csv")
    assert view.format == "wandb-export"
    assert signals(view) == {"train_loss": {99: 2.5, 250: 2.0}}


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (
            "epoch;loss;val_loss\n0;2,31;2,29\n1;1,87;NA\n",
            {"train_loss": {0: 2.31, 1: 1.87}, "validation_loss": {0: 2.29}},
        ),
        ("step\ttrain loss\tlr\n10\t2.5\t1e-3\n", {"train_loss": {10: 2.5}, "learning_rate": {10: 1e-3}}),
        (
            ",loss,val_loss\n0,2.5,2.6\n1,2.0,2.1\n",
            {"train_loss": {0: 2.5, 1: 2.0}, "validation_loss": {0: 2.6, 1: 2.1}},
        ),
        ("iter,train_loss,ms_per_iter\n5,2.5,100\n10,2.0,99\n", {"train_loss": {5: 2.5, 10: 2.0}}),
        (
            "epoch,acc,loss\n0,41.5,2.5\n1,50,2.0\n",
            {"train_loss": {0: 2.5, 1: 2.0}, "train_accuracy": {0: 0.415, 1: 0.5}},
        ),
        ("# made by us\nstep,loss/train,loss/val\n1,2,3\n", {"train_loss": {1: 2.0}, "validation_loss": {1: 3.0}}),
    ],
    ids=["comma decimals", "tabs", "a data frame's index", "other columns", "per cent", "slashes"],
)
def test_other_tables(tmp_path: Path, log: str, expected: dict[str, dict[int, float]]) -> None:
    """Whatever separates their cells; an empty or missing cell is no value."""
    view = read(tmp_path, log, "log.csv")
    assert view.format == "csv"
    assert signals(view) == expected


def test_appended_runs_without_a_header_are_told_apart(tmp_path: Path) -> None:
    """Keras' CSVLogger(append=True): the epoch begins again at 0."""
    view = read(tmp_path, "epoch,loss\n0,3.0\n1,2.9\n2,2.8\n0,2.0\n1,1.0\n", "training.log")
    assert signals(view) == {"train_loss": {0: 2.0, 1: 1.0}}
    assert [event.data["runs"] for event in view.events if event.event == "another-run"] == [2]


def test_a_torn_row_is_skipped_and_shown(tmp_path: Path) -> None:
    """Two writers on one line, or a cell too few."""
    view = read(tmp_path, "step,loss\n1,2.0\n2,1.9.1.8\n3\n4,1.5\n", "log.csv")
    assert signals(view) == {"train_loss": {1: 2.0, 4: 1.5}}
    assert [skipped.line for skipped in view.skipped] == [3, 4]


@pytest.mark.parametrize("name", ["losses.csv", "losses.txt"])
def test_a_table_of_one_column_is_read(tmp_path: Path, name: str) -> None:
    """Below the name of a signal; the rows' numbers are the steps."""
    assert signals(read(tmp_path, "loss\n2.5\nnan\n1.5\n", name))["train_loss"].keys() == {0, 1, 2}
    assert signals(read(tmp_path, "val_loss\r\n2.5\r\n\r\n2.0", name)) == {"validation_loss": {0: 2.5, 1: 2.0}}


@pytest.mark.parametrize(
    ("log", "column"),
    [("objective_a\n2.5\n2.0\n", "objective_a"), ("2.5\n2.0\n", "1")],
    ids=["a name that says nothing", "no name"],
)
def test_a_column_that_says_nothing_is_read_as_it_is_mapped(tmp_path: Path, log: str, column: str) -> None:
    """And as nothing else: what the numbers are is not guessed."""
    assert signals(read(tmp_path, log, "a.csv")) == {}
    assert signals(read(tmp_path, log, "a.csv", {"train_loss": column})) == {"train_loss": {0: 2.5, 1: 2.0}}


@pytest.mark.parametrize("log", ["loss\nis nan\n", "loss\n1.5\nKilled\n", "Epoch 1\n2.5\n", "12\n"])
def test_a_line_of_text_is_no_table_of_one_column(log: str) -> None:
    """Prose may begin with a word that means something."""
    assert TableReader.sniff(log.encode(), "notes.txt") == 0.0


def test_columns_without_names_are_numbered(tmp_path: Path) -> None:
    """Nothing of them is guessed; the user may say what they are."""
    log = "0    , 2.5\n1    , 2.25\n2    , 2.0\n"
    view = read(tmp_path, log, "curve.csv")
    assert signals(view) == {}
    assert [*view.scalars] == ["1", "2"]
    assert signals(read(tmp_path, log, "loss.csv", {"train_loss": "2"})) == {"train_loss": {0: 2.5, 1: 2.25, 2: 2.0}}


@pytest.mark.parametrize(
    ("log", "name", "expected"),
    [
        ("2.5\n2.0\n", "loss_history.csv", {"train_loss": {0: 2.5, 1: 2.0}}),
        ("2.5e-01\n2.0e-01\n", "val_losses.txt", {"validation_loss": {0: 0.25, 1: 0.2}}),
        ("91.5\n95.0\n", "accuracy-train.csv", {"train_accuracy": {0: 0.915, 1: 0.95}}),
        ("1,2.5\n2,2.0\n", "loss.csv", {"train_loss": {1: 2.5, 2: 2.0}}),
        ("2.5,2.75\n2.0,2.5\n", "loss.csv", {}),
        ("2.5\n2.0\n", "train_val_loss.csv", {}),
    ],
    ids=["loss", "validation", "accuracy", "beside an index", "two columns", "two splits"],
)
def test_a_column_without_a_name_is_called_after_its_file(
    log: str, name: str, expected: dict[str, dict[int, float]], tmp_path: Path
) -> None:
    """Where the file's name says one thing, and there is one column to say it of."""
    view = read(tmp_path, log, name)
    assert view.format == "csv"
    assert signals(view) == expected


def test_info_says_that_a_name_is_the_files(tmp_path: Path) -> None:
    """The file holds no such word itself."""
    assert "called so after the file" in said(read(tmp_path, "2.5\n2.0\n", "loss.csv"))


def test_the_name_of_a_table_tells_its_split(tmp_path: Path) -> None:
    """Of a log; a table of samples is none, and "test" may be a test run."""
    rows = "{0},loss,train_acc\n1,2.5,0.5\n2,2.0,0.5\n"
    assert "validation_loss" in signals(read(tmp_path, rows.format("epoch"), "val_log.csv"))
    assert "train_loss" in signals(read(tmp_path, rows.format("sample"), "val_results.csv"))
    assert "train_loss" in signals(read(tmp_path, rows.format("epoch"), "test_run.csv"))


def test_a_row_of_empty_cells_hides_no_table(tmp_path: Path) -> None:
    """Some scripts write one below the header."""
    view = read(tmp_path, "epoch,loss,f1\n,,\n0.0,2.5,0.5\n1.0,2.0,0.6\n", "history.csv")
    assert view.format == "csv"
    assert signals(view) == {"train_loss": {0: 2.5, 1: 2.0}}
