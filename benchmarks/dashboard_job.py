"""A job for the dashboard to run beside: what `watch` logs of a hundred layers at a hundred steps a second.

No training is done. Which steps are sampled is the governor's own choice, from costs as they were measured: a step of
ten milliseconds, and a sample of a hundred layers of thirty.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from threading import Event

import numpy as np

from trainhealth.hooks.governor import Governor
from trainhealth.logged_numbers import Number
from trainhealth.records import (
    EpochRecord,
    LayerEntry,
    LayoutRecord,
    ParameterEntry,
    RunInfo,
    SampleRecord,
    StartRecord,
    encode,
    encode_info,
    encode_step,
)

LAYERS, PACE = 100, 100  # steps a second
EPOCH = 3_000  # steps
OVERHEAD, DISK = 0.02, 300 << 20  # what `watch` allows itself by default
STEP_COST, SAMPLE_COST = 40e-6, 30e-3  # seconds that watching takes of a step, and of a sampled one
# what a sample of a classifier holds that is trained with AdamW
OF_LAYERS = (
    "activation_mean",
    "activation_std",
    "activation_maximum",
    "zero_fraction",
    "activation_nonfinite",
    "example_std",
)
OF_PARAMETERS = (
    "equal_units",
    "parameter_gradient_norm",
    "gradient_nonfinite",
    "weight_mean",
    "weight_std",
    "second_moment",
    "effective_learning_rate",
    "update_ratio",
    "parameter_norm",
    "parameter_nonfinite",
)
OF_BATCH = (
    "input_mean",
    "input_std",
    "clipped_gradient_norm",
    "gradient_cosine",
    "gradient_noise_scale",
    "output_std",
    "prediction_majority_share",
    "majority_share",
    "data_share",
)
_NONE = {"activation_nonfinite", "gradient_nonfinite", "parameter_nonfinite"}  # signals that are 0 where all is well


def run_job(folder: Path, over: Event) -> None:
    """Log a step every hundredth of a second into `folder`, until `over` is set."""
    began = time.perf_counter()
    with begin(folder).open("ab", buffering=0) as log:
        for step, lines in enumerate(steps(lambda: time.perf_counter() - began, time.time())):
            log.write(lines)
            over.wait(max(began + (step + 1) / PACE - time.perf_counter(), 0.0))
            if over.is_set():
                return


def begin(folder: Path) -> Path:
    """Make the folder of a run, and return the path of its log."""
    folder.mkdir()
    (folder / "run.json").write_bytes(encode_info(RunInfo(model="Deep", total_steps=10_000_000)))
    return folder / "events-0.jsonl"


def steps(clock: Callable[[], float], since: float) -> Iterator[bytes]:
    """Yield what each step logs, as the training asks for the next one; `clock` tells the seconds `since` the start."""
    governor = Governor(OVERHEAD, DISK, clock)
    chance = np.random.default_rng(0)
    lines = [encode(StartRecord(step=0, time=since)), encode(_layout(since))]
    for step in count():
        now = since + clock()
        if governor.wants(step):
            governor.spent += SAMPLE_COST
            lines.append(encode(_sample(step, now, chance)))
            governor.sampled(step, SAMPLE_COST, len(lines[-1]))
        governor.spent += STEP_COST
        loss = 0.5 + 2 * np.exp(-step / 50_000) + 0.05 * chance.normal()
        lines.append(encode_step(step, now, loss, train_accuracy=0.5, learning_rate=None if step else 0.1))
        finished = step + 1
        if finished % EPOCH == 0:
            values = {"validation_loss": loss + 0.05, "validation_accuracy": 0.5}
            lines.append(encode(EpochRecord(step=finished, time=now, epoch=finished // EPOCH - 1, values=values)))
        yield b"".join(lines)
        lines = []
        governor.step_finished(finished)


def _layout(now: float) -> LayoutRecord:
    layers = [LayerEntry(name=name, type="Linear", units=256, unit_axis=-1) for name in _names()]
    parameters = [
        ParameterEntry(name=f"{name}.{kind}", shape=shape, layer=name)
        for name in _names()
        for kind, shape in (("weight", [256, 256]), ("bias", [256]))
    ]
    return LayoutRecord(step=0, time=now, layout=0, layers=layers, parameters=parameters)


def _names() -> Iterator[str]:
    return (f"block{number // 4}.layer{number % 4}" for number in range(LAYERS))


def _sample(step: int, now: float, chance: np.random.Generator) -> SampleRecord:
    return SampleRecord(
        step=step,
        time=now,
        layout=0,
        batch_size=64,
        layers={name: _column(name, LAYERS, chance) for name in OF_LAYERS},
        parameters={name: _column(name, 2 * LAYERS, chance) for name in OF_PARAMETERS},
        batch={
            name: float(value) for name, value in zip(OF_BATCH, chance.uniform(0.2, 0.4, len(OF_BATCH)), strict=True)
        },
        dead_units=[""] * LAYERS,
        dead_window=[4, 256],
        cost=1e3 * SAMPLE_COST,
        overhead=OVERHEAD,
    )


def _column(name: str, places: int, chance: np.random.Generator) -> list[Number | None]:
    if name in _NONE:
        return [0] * places
    scale = 1e-3 if name in ("update_ratio", "effective_learning_rate", "second_moment") else 0.5
    return [float(f"{value:.5g}") for value in scale * chance.lognormal(0, 0.2, places)]
