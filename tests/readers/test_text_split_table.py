"""Tables among printed text that have a column for each split."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.readers.reading import read, signals
from trainhealth.readers.base import DEFAULT_NAMES
from trainhealth.readers.text_split_table import SplitTable

_WRITER = "2022-09-19 20:36:19,623 - INFO - allennlp.training.tensorboard_writer - "
_ALLENNLP = (
    "2022-09-19 20:30:01,100 - INFO - allennlp.training.trainer - Epoch {0}/1\n"
    f"{_WRITER}                  Training |  Validation\n"
    f"{_WRITER}accuracy      |     0.7{{0}}0  |     0.6{{0}}0\n"
    f"{_WRITER}gpu_0_memory_MB |  5427.296  |       N/A\n"
    f"{_WRITER}loss          |     0.5{{0}}0  |     0.8{{0}}0\n"
    "2022-09-19 20:36:20,000 - INFO - allennlp.training.trainer - Epoch duration: 0:06:38\n"
)


def test_each_column_is_of_its_split(tmp_path: Path) -> None:
    """AllenNLP's console says nothing else of the losses."""
    assert signals(read(tmp_path, _ALLENNLP.format(0) + _ALLENNLP.format(1))) == {
        "train_accuracy": {0: 0.70, 1: 0.71},
        "validation_accuracy": {0: 0.60, 1: 0.61},
        "train_loss": {0: 0.50, 1: 0.51},
        "validation_loss": {0: 0.80, 1: 0.81},
    }


def test_a_table_that_is_over_takes_no_more_rows(tmp_path: Path) -> None:
    """Another line ends it: what comes then with bars is something else."""
    log = "Training | Validation\nloss | 0.5 | 0.6\nEpoch done\nloss | 7.5 | 8.5\n"
    assert signals(read(tmp_path, log)) == {"train_loss": {0: 0.5}, "validation_loss": {0: 0.6}}


def test_a_markdown_table_has_bars_around_it() -> None:
    """And a rule below its header."""
    table = SplitTable(DEFAULT_NAMES)
    lines = ["| Metric | Train | Val |", "|---|---|---|", "| Loss | 0.5 | 0.6 |", "| F1 | 0.7 | 0.8 |", "That was all."]
    rows = [table.row(line) for line in lines]
    assert rows == [{}, {}, {"Train Loss": "0.5", "Val Loss": "0.6"}, {}, None]


@given(st.lists(st.text(alphabet="train|val loss0.5-\t:", max_size=60), max_size=8))
def test_whatever_stands_between_bars_only_signals_are_told(lines: list[str]) -> None:
    """A row never names anything but quantities that are known."""
    table = SplitTable(DEFAULT_NAMES)
    told = [column for line in lines for column in (table.row(line) or {})]
    assert all(DEFAULT_NAMES.meaning(column).name.split("_")[0] in ("train", "validation", "test") for column in told)
