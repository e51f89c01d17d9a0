"""The guard: the best snapshot in a file, early stopping with patience, and the reason of a stop."""

from __future__ import annotations

import json
import math
import os

import pytest
import torch

import trainhealth
from trainhealth.errors import LogError, UsageError
from trainhealth.hooks.warning import TrainHealthWarning

LOSSES = [1.0, 0.6, 0.4, 0.5, 0.45, 0.7, 0.9]  # best at the third evaluation


@pytest.fixture
def model():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 1))


def trained(watch, model, losses):
    """Train an epoch of two steps for each validation loss until the watch says stop; return the states after each."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    states = []
    for loss in losses:
        for _ in range(2):
            optimizer.zero_grad()
            step_loss = (model(torch.randn(8, 3)) ** 2).mean()
            step_loss.backward()
            optimizer.step()
            watch.step(step_loss)
        watch.epoch(validation_loss=loss)
        states.append({name: value.clone() for name, value in model.state_dict().items()})
        if watch.should_stop:
            break
    return states


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


def test_the_best_snapshot_is_restored_with_one_call(tmp_path, model):
    """Weights and buffers of the best evaluation, at its step, whatever came after."""
    with trainhealth.watch(model, run_dir=tmp_path / "run") as watch:
        best = watch.keep_best("validation_loss")
        states = trained(watch, model, LOSSES)
        assert (len(states), best.value, best.step) == (len(LOSSES), 0.4, 6)
        assert not same(model.state_dict(), states[2])
        assert best.restore() == 6
    assert same(model.state_dict(), states[2])
    assert best.path == tmp_path / "run" / "best.pt"


def test_a_higher_accuracy_is_better(tmp_path, model):
    """The direction follows from the name, or from mode."""
    with trainhealth.watch(model, run_dir=tmp_path / "run") as watch:
        best = watch.keep_best("validation_accuracy")
        own = watch.keep_best("elo", mode="max", path=tmp_path / "elo.pt")
        for value in (0.5, 0.8, 0.7):
            watch.log(validation_accuracy=value, elo=-value)
    assert best.value == 0.8
    assert own.value == -0.5
    assert (tmp_path / "elo.pt").exists()


def test_patience_ends_the_training_with_the_reason_in_the_log(tmp_path, model):
    """Algorithm 7.1: three evaluations in a row without a better one."""
    with trainhealth.watch(model, run_dir=tmp_path / "run") as watch:
        watch.keep_best("validation_loss", patience=3)
        assert watch.stop_reason is None
        assert len(trained(watch, model, LOSSES)) == 6
        expected = "validation_loss has not improved for 3 evaluations; it was best at step 6 (0.4)."
        assert watch.stop_reason == expected
    lines = [json.loads(line) for line in (tmp_path / "run" / "events-0.jsonl").read_text().splitlines()]
    (stop,) = [line for line in lines if line.get("event") == "stop"]
    assert (stop["message"], stop["data"]["best_step"]) == (expected, 6)


def test_nothing_stops_unless_asked(tmp_path, model):
    """Without a patience and stop_on, a run past its best, or with a NaN, goes on."""
    with trainhealth.watch(model, run_dir=tmp_path / "run") as watch:
        watch.keep_best("validation_loss")
        assert len(trained(watch, model, [*LOSSES, math.nan] * 3)) == 3 * (len(LOSSES) + 1)
        assert watch.stop_reason is None


def test_a_noisy_signal_is_smoothed(tmp_path, model):
    """One lucky evaluation is the best of single ones, and not of medians of three."""
    noisy = [1.0, 1.0, 0.2, 1.0, 0.8, 0.7, 0.6, 0.7]
    with trainhealth.watch(model, run_dir=tmp_path / "run") as watch:
        single = watch.keep_best("validation_loss", path=tmp_path / "single.pt")
        smooth = watch.keep_best("validation_loss", smooth=3, path=tmp_path / "smooth.pt")
        for step, value in enumerate(noisy):
            watch.step(torch.tensor(1.0), step=step)
            watch.epoch(validation_loss=value)
    assert (single.step, single.value) == (3, 0.2)
    assert (smooth.step, smooth.value) == (7, 0.7)


def test_a_value_that_is_not_finite_is_never_the_best(tmp_path, model):
    """NaN is no number to be better than, and counts as an evaluation without a gain."""
    with trainhealth.watch(model, run_dir=tmp_path / "run") as watch:
        best = watch.keep_best("validation_loss", patience=3)
        for value in (math.nan, math.inf, -math.inf):
            watch.epoch(validation_loss=value)
        assert best.value is None
        assert watch.stop_reason == "validation_loss has not improved for 3 evaluations."
        with pytest.raises(LogError, match="no best snapshot"):
            best.restore()


def test_a_kill_while_writing_leaves_the_old_snapshot(tmp_path, model, monkeypatch):
    """The new file takes the old one's place only when it is whole."""
    with trainhealth.watch(model, run_dir=tmp_path / "run") as watch:
        best = watch.keep_best("validation_loss")
        watch.epoch(validation_loss=0.5)
        before = best.path.read_bytes()

        def killed(held, path):
            path.write_bytes(b"half")
            raise KeyboardInterrupt

        monkeypatch.setattr(torch, "save", killed)
        with pytest.raises(KeyboardInterrupt):
            watch.epoch(validation_loss=0.4)
        assert best.path.read_bytes() == before


def test_a_full_disk_is_a_warning_and_training_goes_on(tmp_path, model, monkeypatch):
    """The snapshot is lost, not the run."""
    with trainhealth.watch(model, run_dir=tmp_path / "run") as watch:
        best = watch.keep_best("validation_loss")

        def full(held, path):
            raise OSError(28, os.strerror(28))

        monkeypatch.setattr(torch, "save", full)
        with pytest.warns(TrainHealthWarning, match="No space left"):
            watch.epoch(validation_loss=0.4)
        assert best.value == 0.4


def test_a_resumed_run_keeps_its_best(tmp_path, model):
    """What the file holds counts: a worse evaluation after the restart does not replace it."""
    with trainhealth.watch(model, run_dir=tmp_path / "run") as watch:
        watch.keep_best("validation_loss")
        watch.epoch(validation_loss=0.3)
    with trainhealth.watch(model, run_dir=tmp_path / "run", resume=True) as watch:
        best = watch.keep_best("validation_loss")
        watch.epoch(validation_loss=0.5)
        assert best.value == 0.3


def test_keeping_changes_no_bit_of_the_training(tmp_path, model):
    """The same weights, with and without it."""
    ends = []
    for keeps in (False, True):
        torch.manual_seed(1)
        net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Dropout(), torch.nn.Linear(4, 1))
        with trainhealth.watch(net, run_dir=tmp_path / f"run-{keeps}") as watch:
            if keeps:
                watch.keep_best("validation_loss")
            ends.append(trained(watch, net, LOSSES)[-1])
    assert same(*ends)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"signal": "elo"}, "can't be told by its name"),
        ({"mode": "up"}, "mode is 'up'"),
        ({"smooth": 0}, "smooth is 0"),
        ({"patience": 0}, "patience 0"),
    ],
)
def test_what_cannot_be_meant_is_an_error_at_once(tmp_path, model, arguments, message):
    """Before the training, not after a night."""
    with trainhealth.watch(model, run_dir=tmp_path / "run") as watch, pytest.raises(UsageError, match=message):
        watch.keep_best(**arguments)


def test_stop_on_takes_names_of_rules(tmp_path, model):
    """A training stops for the illness that was named, and for no other."""
    for number, (chosen, stops) in enumerate(
        [("nonfinite-loss", True), (("past-best-epoch", "diverging-loss"), False), ({"critical", "late-start"}, True)]
    ):
        with trainhealth.watch(model, run_dir=tmp_path / f"run{number}", stop_on=chosen) as watch:
            for loss in (1.0, 0.9, math.nan):
                watch.step(torch.tensor(loss))
            assert watch.should_stop is stops
            assert (watch.stop_reason is not None) is stops
    with pytest.raises(UsageError, match="stop_on is 'no-such-rule'"):
        trainhealth.watch(model, run_dir=tmp_path / "other", stop_on=["critical", "no-such-rule"])


def test_a_loss_that_runs_away_ends_the_training_before_the_clock_comes_round(tmp_path, model, monkeypatch):
    """The log is diagnosed at steps 64 and 256, whatever the clock says; at 64 a run is too young to have diverged."""
    looked = []
    monkeypatch.setattr("trainhealth.watching.DIAGNOSE_EVERY", math.inf)
    with trainhealth.watch(model, run_dir=tmp_path / "run", stop_on="critical") as watch:
        found = watch.findings
        monkeypatch.setattr(type(watch), "findings", lambda self: looked.append(len(losses)) or found())
        losses = []
        while len(losses) < 300 and not watch.should_stop:
            losses.append(1.0 if len(losses) < 50 else 5.0 + len(losses))
            watch.step(losses[-1])
        assert "loss" in watch.stop_reason
    assert looked == [64, 256]
    assert len(losses) == 256
    (event,) = (one for one in trainhealth.load(tmp_path / "run").view.events if one.event == "stop")
    assert event.data["finding"].startswith("LS02")
