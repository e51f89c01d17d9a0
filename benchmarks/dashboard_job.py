"""A job for the dashboard to run beside: what `watch` logs of a hundred layers at a hundred steps a second.

No training is done. Which steps are sampled is the governor's own choice, from costs as they were measured: a step of
ten milliseconds, and a sample of a hundred layers of thirty.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
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
    folder.mkdir()
    (folder / "run.json").write_bytes(encode_info(RunInfo(model="Deep", total_steps=10_000_000)))
    governor = Governor(OVERHEAD, DISK)
    chance = np.random.default_rng(0)
    began = time.perf_counter()
    with (folder / "events-0.jsonl").open("wb", buffering=0) as log:
        log.write(encode(StartRecord(step=0, time=time.time())))
        log.write(encode(_layout()))
        step = 0
        while not over.is_set():
            if governor.wants(step):
                governor.spent += SAMPLE_COST
                line = encode(_sample(step, chance))
                governor.sampled(step, SAMPLE_COST, len(line))
                log.write(line)
            governor.spent += STEP_COST
            loss = 0.5 + 2 * np.exp(-step / 50_000) + 0.05 * chance.normal()
            log.write(encode_step(step, time.time(), loss, train_accuracy=0.5, learning_rate=0.1 if not step else None))
            step += 1
            if step % EPOCH == 0:
                values = {"validation_loss": loss + 0.05, "validation_accuracy": 0.5}
                log.write(encode(EpochRecord(step=step, time=time.time(), epoch=step // EPOCH - 1, values=values)))
            over.wait(max(began + step / PACE - time.perf_counter(), 0.0))
            governor.step_finished(step)


def _layout() -> LayoutRecord:
    layers = [LayerEntry(name=name, type="Linear", units=256, unit_axis=-1) for name in _names()]
    parameters = [
        ParameterEntry(name=f"{name}.{kind}", shape=shape, layer=name)
        for name in _names()
        for kind, shape in (("weight", [256, 256]), ("bias", [256]))
    ]
    return LayoutRecord(step=0, time=time.time(), layout=0, layers=layers, parameters=parameters)


def _names() -> Iterator[str]:
    return (f"block{number // 4}.layer{number % 4}" for number in range(LAYERS))


def _sample(step: int, chance: np.random.Generator) -> SampleRecord:
    return SampleRecord(
        step=step,
        time=time.time(),
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
