"""Time and the machine: how long a training waits for data, and what it takes of the machine."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

import trainhealth
from trainhealth.hooks import loading
from trainhealth.hooks.loading import Loading
from trainhealth.hooks.probes import machine
from trainhealth.hooks.probes.machine import EVERY, Machine, core_times, resident_memory
from trainhealth.hooks.sample import Sample


class Clock:
    """Time that a test lets pass."""

    def __init__(self) -> None:
        self.now = 100.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(loading, "time", clock)
    return clock


def shares(sample: Sample) -> dict[str, float | None]:
    """Return what is in the sample's table of the batch."""
    return {
        name: column[0]
        for name, column in sample.columns([], {"layers": 0, "parameters": 0, "batch": 1})["batch"].items()
    }


def step(of: Loading, clock: Clock, waiting: float, computing: float, interrupted: bool = False) -> None:
    of.interrupted = interrupted
    clock.now += waiting
    of.batch_came()
    clock.now += computing
    of.ended_at = clock.now


def taken(of: Loading) -> dict[str, float | None]:
    sample = Sample(0)
    of.put_into(sample)
    return shares(sample)


def test_the_share_of_waiting_since_the_sample_before(clock: Clock) -> None:
    """Gaps between steps over all the time."""
    waits = Loading()
    step(waits, clock, 5.0, 1.0)
    assert taken(waits) == {}  # what came before the first step was no loading
    step(waits, clock, 1.0, 3.0)
    step(waits, clock, 2.0, 4.0)
    assert taken(waits) == {"data_share": pytest.approx((1 + 2) / 10)}
    step(waits, clock, 0.0, 4.0)
    assert taken(waits) == {"data_share": 0.0}


def test_a_gap_with_an_evaluation_in_it_does_not_count(clock: Clock) -> None:
    """Neither as waiting nor as a part of the whole."""
    waits = Loading()
    step(waits, clock, 0.0, 1.0)
    taken(waits)
    step(waits, clock, 1.0, 3.0)
    step(waits, clock, 60.0, 4.0, interrupted=True)
    assert taken(waits) == {"data_share": pytest.approx(1 / 8)}
    step(waits, clock, 60.0, 4.0, interrupted=True)
    assert taken(waits) == {}


def test_data_share_of_a_training(tmp_path: Path) -> None:
    """Measured between steps, and not before there were two of them."""
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with trainhealth.watch(model, optimizer, run_dir=tmp_path / "run", overhead=1.0) as watch:
        for _ in range(4):
            loss = model(torch.ones(4, 2)).sum()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    series = trainhealth.load(tmp_path / "run").view.series("data_share")
    assert series.steps.tolist() == [1, 2, 3]
    assert all(0 < share < 1 for share in series.values)


def test_the_machine_is_looked_at_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """At most every ten seconds; the work of the cores needs two looks."""
    times = iter([(10.0, 100.0), (40.0, 140.0)])
    monkeypatch.setattr(machine, "core_times", lambda: next(times))
    monkeypatch.setattr(machine, "resident_memory", lambda: 12345)
    now = [0.0]
    probe = Machine(clock=lambda: now[0])
    seen = []
    for seconds in (0.0, EVERY / 2, EVERY):
        now[0] = seconds
        sample = Sample(0)
        probe.step_ended(sample)
        seen.append({name: value for name, value in shares(sample).items() if not name.startswith(("device", "gpu"))})
    assert seen == [{"process_memory": 12345}, {}, {"process_memory": 12345, "cpu_share": 0.75}]


@pytest.mark.parametrize("tells", [True, False])
def test_the_accelerator_is_asked_where_it_tells(monkeypatch: pytest.MonkeyPatch, tells: bool) -> None:
    """Its memory always; its work where the library can say it, and no more once it could not (a part of a GPU)."""
    asked = []

    def utilization() -> int:
        asked.append(1)
        if not tells:
            raise RuntimeError("Not Supported")
        return 80

    monkeypatch.setattr(machine.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(machine, "torch", SimpleNamespace(cuda=SimpleNamespace()))
    machine.torch.cuda.is_available = machine.torch.cuda.is_initialized = lambda: True
    machine.torch.cuda.memory_allocated, machine.torch.cuda.utilization = lambda: 4096, utilization
    now = [0.0]
    probe = Machine(clock=lambda: now[0])
    for _ in range(2):
        sample = Sample(0)
        probe.step_ended(sample)
        now[0] += EVERY
        seen = {name: value for name, value in shares(sample).items() if name.startswith(("device", "gpu"))}
        assert seen == {"device_memory": 4096, **({"gpu_share": 0.8} if tells else {})}
    assert len(asked) == (2 if tells else 1)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to compare with")
def test_memory_and_cores_are_those_of_the_system() -> None:
    """Resident memory agrees with /proc/self/status; times of the cores grow, and work is a part of life."""
    status = Path("/proc/self/status").read_text()
    kilobytes = int(status.split("VmRSS:")[1].split()[0])
    assert resident_memory() == pytest.approx(1024 * kilobytes, rel=0.05)
    first, second = core_times(), core_times()
    assert first is not None
    assert second is not None
    assert 0 < first[0] < first[1] <= second[1]


def test_where_nothing_tells_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without /proc and psutil there is no memory and no work of cores, and no error."""
    monkeypatch.setattr(machine, "_STATM", Path("/nowhere/statm"))
    monkeypatch.setattr(machine, "_STAT", Path("/nowhere/stat"))
    monkeypatch.setattr(machine.importlib.util, "find_spec", lambda name: None)
    assert resident_memory() is None
    assert core_times() is None
    now = [0.0]
    probe = Machine(clock=lambda: now[0])
    for _ in range(2):
        sample = Sample(0)
        probe.step_ended(sample)
        now[0] += math.inf
        assert "cpu_share" not in shares(sample)


def test_watching_loads_no_library_for_the_machine(tmp_path: Path) -> None:
    """psutil and pynvml are imported at the first look at the earliest, and only where they are needed."""
    program = (
        "import sys, torch, trainhealth\n"
        f"trainhealth.watch(torch.nn.Linear(1, 1), run_dir={str(tmp_path / 'run')!r})\n"
        "print(*sorted(name for name in sys.modules if '.' not in name))\n"
    )
    told = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    assert "trainhealth" in told
    assert not {"psutil", "pynvml"} & set(told)
