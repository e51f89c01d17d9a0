"""Logs that grow while they are followed: what comes piece by piece ends in the same view as what is read at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.readers.kinds import KINDS
from tests.readers.reading import signals
from tests.readers.writers import a_log_of, event_file
from tests.same_view import assert_same_view
from trainhealth import plugins
from trainhealth.following import Follower
from trainhealth.readers.base import Reader
from trainhealth.series import RunView

WRITTEN_AT_ONCE = {"json", "sqlite"}  # a document is replaced, a database is read when it is complete
GROWING: list[type[Reader]] = [
    reader for reader in plugins.load("trainhealth.readers") if reader.foreign and reader.name not in WRITTEN_AT_ONCE
]


def settled(path: Path) -> RunView:
    """Return the view of a file that is complete."""
    follower = Follower(path)
    follower.poll()
    follower.settle()
    return follower.view()


@pytest.mark.parametrize("reader", GROWING, ids=lambda reader: reader.name)
def test_a_file_that_grows_ends_in_the_same_view(reader: type[Reader], tmp_path: Path) -> None:
    """Cut anywhere, also within a line; the format is known from its first lines."""
    path, log = tmp_path / reader.sample[0], a_log_of(reader)
    begin = len(log) // 2 if reader.name in ("tensorboard", "wandb") else log.find(b"\n", log.find(b"\n") + 1) + 1
    path.write_bytes(log[:begin])
    follower = Follower(path)
    follower.poll()
    assert follower.view().format == reader.name
    for at in range(begin, len(log), 37):
        with path.open("ab") as file:
            file.write(log[at : at + 37])
        assert follower.poll()
        follower.view()
    follower.settle()
    assert_same_view(follower.view(), settled(path))
    assert follower.restarts == 0


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.format not in WRITTEN_AT_ONCE])
def test_a_log_of_each_kind_that_grows_ends_in_the_same_view(name: str, tmp_path: Path) -> None:
    """From its first byte on, in portions that end anywhere."""
    kind = KINDS[name]
    path = tmp_path / kind.file
    path.touch()
    follower = Follower(path)
    portion = len(kind.log) // 9 + 1
    for begin in range(0, len(kind.log), portion):
        with path.open("ab") as file:
            file.write(kind.log[begin : begin + portion])
        follower.poll()
        follower.view()
    follower.settle()
    assert follower.view().format == kind.format
    assert_same_view(follower.view(), settled(path))


def test_lightnings_file_is_written_anew_when_a_column_comes(tmp_path: Path) -> None:
    """With a longer header, under the same name and in the same place: what came before is read again."""
    path = tmp_path / "metrics.csv"
    path.write_text("epoch,step,train_loss\n0,49,2.3\n0,99,2.1\n")
    follower = Follower(path)
    follower.poll()
    assert signals(follower.view()) == {"train_loss": {49: 2.3, 99: 2.1}}
    path.write_text("epoch,step,train_loss,val_loss\n0,49,2.3,\n0,99,2.1,\n0,99,,2.0\n1,149,1.9,\n")
    follower.poll()
    assert follower.restarts == 1
    assert signals(follower.view()) == {"train_loss": {49: 2.3, 99: 2.1, 149: 1.9}, "validation_loss": {99: 2.0}}


def test_a_checkpoints_document_is_replaced(tmp_path: Path) -> None:
    """trainer_state.json is written as a whole again and again."""
    path = tmp_path / "trainer_state.json"
    path.write_text('{"log_history": [{"loss": 2.0, "step": 1}]}\n')
    follower = Follower(path)
    follower.poll()
    path.write_text('{"log_history": [{"loss": 2.0, "step": 1}, {"loss": 1.5, "step": 2}]}\n')
    follower.poll()
    assert signals(follower.view()) == {"train_loss": {1: 2.0, 2: 1.5}}
    assert follower.restarts == 0


def test_a_run_folder_whose_second_log_appears_later(tmp_path: Path) -> None:
    """Event files and a table are one run."""
    (tmp_path / "metrics.csv").write_text("epoch,step,train_loss\n0,49,2.3\n0,99,2.1\n")
    follower = Follower(tmp_path)
    follower.poll()
    (tmp_path / "events.out.tfevents.1.host.1.0").write_bytes(
        event_file([("grad_norm", 49, 1.0), ("train_loss", 49, 9.0)])
    )
    follower.poll()
    view = follower.view()
    assert signals(view) == {"train_loss": {49: 2.3, 99: 2.1}, "gradient_norm": {49: 1.0}}
    assert view.format == "lightning + tensorboard"


def test_a_torn_last_line_waits_until_it_is_whole(tmp_path: Path) -> None:
    """0.4 is not read where 0.41 is being written."""
    path = tmp_path / "train.log"
    path.write_text("Epoch 1: loss 0.52\nEpoch 2: loss 0.4")
    follower = Follower(path)
    follower.poll()
    assert signals(follower.view()) == {"train_loss": {1: 0.52}}
    with path.open("a") as file:
        file.write("1\n")
    follower.poll()
    assert signals(follower.view()) == {"train_loss": {1: 0.52, 2: 0.41}}
