"""What goes wrong inside the watching stays there: one warning, one record, and training goes on."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import nn

import trainhealth
from trainhealth.hooks import warning
from trainhealth.hooks.arguments import chosen_probes
from trainhealth.hooks.probes.base import Probe
from trainhealth.hooks.sample import Place, Sample


@pytest.fixture(autouse=True)
def _forget_warnings() -> Iterator[None]:
    warning._said.clear()
    yield
    warning._said.clear()


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2))


def train(
    model: nn.Module, watch: trainhealth.Watch, steps: int = 4, optimizer: torch.optim.Optimizer | None = None
) -> None:
    optimizer = optimizer or torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(steps):
        outputs, targets = model(torch.ones(4, 2)), torch.tensor([0, 1, 1, 0])
        loss = outputs.sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss, outputs=outputs, targets=targets)
        with torch.no_grad():
            model(torch.ones(4, 2))


PROBES = sorted(probe.name for probe in chosen_probes(None))
METHODS = tuple(name for name, value in vars(Probe).items() if callable(value) and not name.startswith("_"))


@pytest.mark.parametrize("name", PROBES)
def test_a_probe_that_raises_is_switched_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """An exception in a probe: it alone is switched off, with one warning and one record that names it."""
    probe = type(next(p for p in chosen_probes(None) if p.name == name))
    method = next(m for m in METHODS if getattr(probe, m) is not getattr(Probe, m))

    def fail(self: Probe, *arguments: object) -> None:
        raise RuntimeError("no such luck")

    monkeypatch.setattr(probe, method, fail)
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with (
        pytest.warns(UserWarning, match=f"probe {name} failed") as warned,
        trainhealth.watch(model, optimizer, run_dir=tmp_path / "run", overhead=1.0) as watch,
    ):
        train(model, watch, optimizer=optimizer)
    assert len(warned) == 1
    view = trainhealth.load(tmp_path / "run").view
    assert [(e.event, e.data["probe"]) for e in view.events if e.event != "facts"] == [("probe-disabled", name)]
    assert len(view.series("train_loss")) == 4
    other = "update_ratio" if name != "updates" else "activation_std"
    assert len(view.columns(other)) == 4


class Wrong(Probe):
    """A plugin's probe that puts what is no number, or fails where its numbers have arrived."""

    name = "wrong"
    signals = ("wrong",)
    finishes: ClassVar[bool]

    def layer_finished(self, place: Place, output: torch.Tensor, sample: Sample) -> None:
        if self.finishes:
            sample.layer("wrong", place, output.sum(), finish=lambda total: 1 / 0)
        else:
            sample.layer("wrong", place, output.sum(0))


@pytest.mark.parametrize(("finishes", "why"), [(False, "ValueError: wrong is a tensor"), (True, "ZeroDivisionError")])
def test_a_probe_with_odd_values_is_switched_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finishes: bool, why: str
) -> None:
    """Values that make no number cost the probe that puts them, and no other."""
    monkeypatch.setattr(Wrong, "finishes", finishes, raising=False)
    monkeypatch.setattr("trainhealth.watching.chosen_probes", lambda names: [Wrong(), *chosen_probes(names)])
    model = net()
    with (
        pytest.warns(UserWarning, match=f"probe wrong failed and is switched off: {why}") as warned,
        trainhealth.watch(model, run_dir=tmp_path / "run", overhead=1.0) as watch,
    ):
        train(model, watch)
    assert len(warned) == 1
    view = trainhealth.load(tmp_path / "run").view
    assert [(e.event, e.data["probe"]) for e in view.events if e.event != "facts"] == [("probe-disabled", "wrong")]
    assert len(view.columns("activation_std")) == 4


def test_an_error_outside_of_probes_ends_sampling_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception in our own machinery ends the sampling; the scalars go on."""
    monkeypatch.setattr("trainhealth.hooks.observer.measured_modules", lambda *a: 1 / 0)
    model = net()
    with (
        pytest.warns(UserWarning, match=r"sampling \(forward\) failed"),
        trainhealth.watch(model, run_dir=tmp_path / "run") as watch,
    ):
        train(model, watch)
    view = trainhealth.load(tmp_path / "run").view
    assert len(view.series("train_loss")) == 4
    assert [event.event for event in view.events] == ["sampling-disabled"]


def test_warnings_that_are_errors_do_not_reach_the_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``-W error`` a warning of ours goes to stderr instead of ending the run."""
    monkeypatch.setattr("trainhealth.hooks.observer.measured_modules", lambda *a: 1 / 0)
    model = net()
    with trainhealth.watch(model, run_dir=tmp_path / "run") as watch:
        train(model, watch)  # the test run itself makes warnings errors
    assert len(trainhealth.load(tmp_path / "run").view.series("train_loss")) == 4


def test_a_full_disk_ends_logging_and_not_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No space left: one warning, and everything logged before stays readable."""

    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    model = net()
    watch = trainhealth.watch(model, run_dir=tmp_path / "run")
    train(model, watch, 3)
    monkeypatch.setattr("trainhealth.hooks.writer.os.write", full)
    with pytest.warns(UserWarning, match="No space left") as warned:
        train(model, watch, 3)
    watch.close()
    assert len(warned) == 1
    assert len(trainhealth.load(tmp_path / "run").view.series("train_loss")) == 3


def test_a_deleted_folder_is_survived(tmp_path: Path) -> None:
    """Somebody removes the run's folder: training goes on."""
    model = net()
    with trainhealth.watch(model, run_dir=tmp_path / "run") as watch:
        train(model, watch, 2)
        shutil.rmtree(tmp_path / "run")
        before = model[0].weight.detach().clone()
        train(model, watch, 2)
        watch.epoch(validation_loss=1.0)
    assert not torch.equal(model[0].weight, before)  # it has gone on learning
    assert not (tmp_path / "run").exists()


def test_an_unusable_run_dir_is_an_immediate_error(tmp_path: Path) -> None:
    """`watch` refuses a run_dir that is a file, or below one, and says what to do."""
    (tmp_path / "file").write_text("")
    for run_dir in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(trainhealth.UsageError, match=r"run_dir .* is not a folder"):
            trainhealth.watch(net(), run_dir=run_dir)


def test_a_second_run_gets_a_folder_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """run_dir a second time makes run-2 and says so on stderr."""
    for _ in range(3):
        with trainhealth.watch(net(), run_dir=tmp_path / "run") as watch:
            watch.step(1.0)
    assert sorted(folder.name for folder in tmp_path.iterdir()) == ["run", "run-2", "run-3"]
    assert "run holds a run already; logging to" in capsys.readouterr().err


def test_arguments_that_are_off_are_named(tmp_path: Path) -> None:
    """Each wrong argument of `watch` raises an error with its value and what to pass instead."""
    model = net()
    foreign = torch.optim.SGD(net().parameters(), lr=0.1)
    wrong: list[tuple[tuple[object, ...], dict[str, object], str]] = [
        (("a model",), {}, "was given a builtins.str as model"),
        (({},), {}, "no model"),
        ((model, "an optimizer"), {}, "as optimizer"),
        ((model, foreign), {}, "holds no parameter of the model"),
        ((model,), {"overhead": 0}, "overhead is 0"),
        ((model,), {"overhead": 2}, "overhead is 2"),
        ((model,), {"disk": -1}, "disk is -1"),
        ((model,), {"task": "guessing"}, "task is 'guessing'"),
        ((model,), {"stop_on": "never"}, "stop_on is 'never'"),
        ((model,), {"probes": ["telepathy"]}, "no probe 'telepathy'"),
        ((model,), {"probes": "telepathy"}, "no probe 'telepathy'"),
        ((model,), {"probes": 3}, "probes is 3"),
        ((model,), {"overhead": "a little"}, "overhead is 'a little'"),
        ((model,), {"disk": "1 GB"}, "disk is '1 GB'"),
        ((model,), {"stop_on": 3}, "stop_on is 3"),
        ((model,), {"hyperparameters": ["lr"]}, "hyperparameters is a list"),
        ((model,), {"total_steps": 0}, "total_steps is 0"),
        ((model,), {"run_dir": 3}, "run_dir is 3"),
        ((model,), {"run_dir": ""}, "run_dir is ''"),
    ]
    for arguments, options, message in wrong:
        with pytest.raises(trainhealth.UsageError, match=message):
            trainhealth.watch(*arguments, **{"run_dir": tmp_path / "run"} | options)  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()


def test_a_model_is_watched_once(tmp_path: Path) -> None:
    """A second `watch` on a watched model is a clear error; after `close` it is welcome."""
    model = net()
    with (
        trainhealth.watch(model, run_dir=tmp_path / "run"),
        pytest.raises(trainhealth.UsageError, match="watched already"),
    ):
        trainhealth.watch(model, run_dir=tmp_path / "other")
    trainhealth.watch(model, run_dir=tmp_path / "run").close()


def test_a_step_after_close_warns_once(tmp_path: Path) -> None:
    """Using a closed handle is no error, and nothing is recorded."""
    watch = trainhealth.watch(net(), run_dir=tmp_path / "run")
    watch.step(1.0)
    watch.close()
    watch.close()
    with pytest.warns(UserWarning, match="after close"):
        watch.step(2.0)
    watch.step(3.0)  # a second warning would be an error here
    view = trainhealth.load(tmp_path / "run").view
    assert (view.series("train_loss").values.tolist(), view.ended) == ([1.0], "closed")


def test_an_exception_of_the_script_is_in_the_log(tmp_path: Path) -> None:
    """An exception that leaves the with block is recorded and passed on."""

    def script() -> None:
        with trainhealth.watch(net(), run_dir=tmp_path / "run") as watch:
            watch.step(1.0)
            raise ValueError("bad batch")

    with pytest.raises(ValueError, match="bad batch"):
        script()
    view = trainhealth.load(tmp_path / "run").view
    assert view.ended == "exception"
    assert view.error is not None
    assert (view.error.type, view.error.message) == ("ValueError", "bad batch")


def test_sys_exit_in_the_loop_ends_the_log(tmp_path: Path) -> None:
    """A script that leaves by `sys.exit`, with and without a `with` block, has its own exit code and a whole log."""
    script = """
import sys, torch, trainhealth
from torch import nn
model = nn.Linear(2, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
watch = trainhealth.watch(model, optimizer, run_dir=sys.argv[1])
def train():
    for step in range(10):
        loss = model(torch.randn(4, 2)).square().mean()
        optimizer.zero_grad(); loss.backward(); optimizer.step()
        watch.step(loss)
        if step == 5:
            sys.exit(7)
if sys.argv[2] == "with":
    with watch:
        train()
else:
    train()
"""
    for how in ("with", "without"):
        done = subprocess.run([sys.executable, "-W", "error", "-c", script, str(tmp_path / how), how], check=False)
        assert done.returncode == 7
        view = trainhealth.load(tmp_path / how).view
        assert (len(view.series("train_loss")), view.ended) == (6, "exit")


def test_only_the_owner_writes_after_a_fork(tmp_path: Path) -> None:
    """A forked child (a data loader's worker) that ends writes nothing into its parent's log."""
    watch = trainhealth.watch(net(), run_dir=tmp_path / "run")
    watch.step(1.0)
    child = os.fork()
    if child == 0:
        watch.step(666.0)
        watch.close()
        os._exit(0)
    os.waitpid(child, 0)
    watch.step(2.0)
    watch.close()
    view = trainhealth.load(tmp_path / "run").view
    assert (view.series("train_loss").values.tolist(), view.ended) == ([1.0, 2.0], "closed")


def test_the_handle_diagnoses_its_own_run(tmp_path: Path) -> None:
    """`findings()` is the diagnosis so far, and `should_stop` follows it where asked to."""
    with trainhealth.watch(net(), run_dir=tmp_path / "run", stop_on="critical") as watch:
        for _ in range(20):
            watch.step(1.0)
        assert watch.findings() == ()
        assert not watch.should_stop
        for _ in range(50):
            watch.step(float("nan"))
        assert watch.findings()[0].name == "nonfinite-loss"
        assert watch.should_stop
        assert watch.should_stop
    stops = [event for event in trainhealth.load(tmp_path / "run").view.events if event.event == "stop"]
    assert len(stops) == 1


SCRIPT = """
import os, sys, torch, trainhealth
from torch import nn
torch.set_num_threads(1)
model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
watch = trainhealth.watch(model, optimizer, run_dir=sys.argv[1])
for step in range(100_000):
    loss = model(torch.randn(8, 4)).square().mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    watch.step(loss)
    os.write(1, b"%d\\n" % step)
"""


@pytest.mark.slow
def test_kill_9_loses_no_finished_step(tmp_path: Path) -> None:
    """Twenty processes killed at different moments: every step they had reported is in a log that can be checked."""
    for attempt in range(20):
        folder = tmp_path / f"run{attempt}"
        with subprocess.Popen([sys.executable, "-c", SCRIPT, str(folder)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            output = process.stdout.readline()
            assert output == b"0\n"
            moment = time.monotonic() + 0.013 * attempt
            while time.monotonic() < moment:
                output += process.stdout.readline()
            process.send_signal(signal.SIGKILL)
            output += process.stdout.read()
        finished = int(output[: output.rfind(b"\n")].rpartition(b"\n")[2])
        report = trainhealth.check(folder)
        assert report.run.view.last_step >= finished
        assert report.run.view.skipped == ()
        assert report.run.view.ended is None


def test_a_deleted_log_is_told_once(tmp_path: Path) -> None:
    """What is written to a file without a name, nobody will ever read: the user is told while there is time."""
    model = net()
    with trainhealth.watch(model, run_dir=tmp_path / "run") as watch:
        train(model, watch, 2)
        shutil.rmtree(tmp_path / "run")
        with pytest.warns(UserWarning, match="the log was deleted") as warned:
            train(model, watch, 40)
    assert len(warned) == 1
