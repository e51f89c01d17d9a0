"""The machine, looked at now and then: memory of the process and the accelerator, work of the cores and the GPU."""

from __future__ import annotations

import importlib.util
import math
import os
import time
from collections.abc import Callable
from pathlib import Path

import torch

from trainhealth.hooks.probes.base import Probe
from trainhealth.hooks.sample import Sample

EVERY = 10.0  # seconds between two looks, at least

_STATM, _STAT = Path("/proc/self/statm"), Path("/proc/stat")


class Machine(Probe):
    """Reads /proc; where there is none, asks psutil if it is installed, and the GPU through pynvml if that is."""

    name = "machine"
    signals = ("process_memory", "device_memory", "cpu_share", "gpu_share")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looked_at = -math.inf
        self._gpu_tells = True
        self._cores: tuple[float, float] | None = None  # busy and total time at the last look

    def step_ended(self, sample: Sample) -> None:
        """Look, where the last look is long enough ago."""
        now = self._clock()
        if now - self._looked_at < EVERY:
            return
        self._looked_at = now
        memory, before, self._cores = resident_memory(), self._cores, core_times()
        if memory is not None:
            sample.batch("process_memory", float(memory))
        if before is not None and self._cores is not None and self._cores[1] > before[1]:
            busy, total = (later - earlier for later, earlier in zip(self._cores, before, strict=True))
            sample.batch("cpu_share", min(max(busy / total, 0.0), 1.0))
        if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]  # torch's own
            sample.batch("device_memory", float(torch.cuda.memory_allocated()))
            self._look_at_gpu(sample)

    def _look_at_gpu(self, sample: Sample) -> None:
        if not self._gpu_tells or importlib.util.find_spec("pynvml") is None:
            return
        try:
            sample.batch("gpu_share", torch.cuda.utilization() / 100)
        except Exception:  # noqa: BLE001  # a part of a GPU, an old driver: whatever the library raises, it will again
            self._gpu_tells = False


def resident_memory() -> int | None:
    """Return the bytes of this process that are in memory; None where nothing tells."""
    if _STATM.exists():
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    if importlib.util.find_spec("psutil") is not None:
        import psutil  # type: ignore[import-untyped]  # optional, and slow to import

        return int(psutil.Process().memory_info().rss)
    return None


def core_times() -> tuple[float, float] | None:
    """Return the time that all cores together have worked and lived, in one unit; None where nothing tells.

    The first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal (guests are part of user).
    """
    if _STAT.exists():
        with _STAT.open() as lines:
            ticks = [float(number) for number in lines.readline().split()[1:9]]
        return sum(ticks) - ticks[3] - ticks[4], sum(ticks)
    if importlib.util.find_spec("psutil") is not None:
        import psutil

        times = psutil.cpu_times()
        return sum(times) - times.idle, sum(times)
    return None
