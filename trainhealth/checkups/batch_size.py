"""How large a batch is worth it, what it costs, and which rate goes with it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from trainhealth.checkups.base import Check, Outcome
from trainhealth.checkups.batches import mapped, size_of
from trainhealth.checkups.noise_scale import LEAST, measure_noise
from trainhealth.checkups.short_training import loss_on, rate_of, rate_shares, set_rate
from trainhealth.checkups.subject import Subject, Trial
from trainhealth.figures import Figure

MOST = 32  # batches whose gradients are compared
TRAINED = 100  # steps before the second look: the noise scale grows as the loss falls
REPEATS = 3  # of a timed step; the fastest one counts
FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)  # times the batch size


class BatchSize(Check):
    """How large may the batch be, before it only costs?"""

    name = "batch-size"
    title = "batch size"
    order = 80
    share = 2.0

    def run(self, subject: Subject) -> Outcome:
        """Measure the noise scale at the start and after some steps, and time and memory by batch size."""
        size = size_of(subject.batches[0])
        if size is None:
            return Outcome()
        costs = dict(_costs(subject, size))
        full = [batch for batch in subject.batches if size_of(batch) == size][:MOST]
        if len(full) < LEAST:
            return Outcome(figures=_figures(costs))
        trial = subject.fresh()
        at_start = measure_noise(subject, trial, full, size).scale
        held = subject.time_left() > 0 and _train(subject, trial)
        later = measure_noise(subject, trial, full, size).scale if held else math.nan
        return Outcome(figures=_figures(costs), advice=_advice(size, size * len(full), at_start, later, costs, trial))


def _train(subject: Subject, trial: Trial) -> bool:
    """Train the copy for some steps at the rate that the search suggests; tell whether it held."""
    searched = subject.outcomes.get("rate-range")
    suggested = None if searched is None else searched.advice.get("learning_rate")
    if suggested is not None:
        set_rate(trial.optimizer, float(suggested), rate_shares(trial.optimizer))
    for batch in subject.batches.cycle(TRAINED):
        trial.step(batch)
        if subject.time_left() < 0:
            break
    return math.isfinite(loss_on(trial, subject.batches[:1]))


def _costs(subject: Subject, size: int) -> Iterator[tuple[int, tuple[float, float]]]:
    """Yield batch sizes with the examples a second and the bytes kept for the backward.

    A size is left out where its steps would take longer than there is time, as told from the size before.
    """
    an_example = 0.0  # seconds
    for factor in FACTORS:
        wanted = int(size * factor)
        batch = resized(subject.batches[0], size, wanted) if wanted >= 2 else None
        if batch is None or subject.time_left() < REPEATS * wanted * an_example:
            continue
        trial = subject.fresh()
        try:
            kept = _kept_bytes(trial, batch)
            seconds = min(_timed(trial, batch) for _ in range(REPEATS))
        except RuntimeError:  # out of memory, or a shape that only fits the batch as it is
            continue
        an_example = seconds / wanted
        yield wanted, (wanted / max(seconds, 1e-9), kept)


def resized(batch: Any, size: int, wanted: int) -> Any:
    """Return a batch with `wanted` examples, cut from one with `size`, or repeated from it."""

    def change(tensor: Tensor) -> Tensor:
        if not tensor.dim() or len(tensor) != size:
            return tensor
        return tensor[torch.arange(wanted, device=tensor.device) % size]

    return batch if wanted == size else mapped(batch, change)


def _timed(trial: Trial, batch: Any) -> float:
    began = time.perf_counter()
    float(trial.step(batch).loss.detach())  # waits for the device
    return time.perf_counter() - began


def _kept_bytes(trial: Trial, batch: Any) -> float:
    """Return the bytes that a forward keeps for its backward, without the parameters."""
    parameters = {parameter.untyped_storage().data_ptr() for parameter in trial.model.parameters()}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        if tensor.layout is torch.strided:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in parameters:
                kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        trial.loss(batch)
    return float(sum(kept.values()))


def _figures(costs: dict[int, tuple[float, float]]) -> tuple[Figure, ...]:
    if len(costs) < 2:
        return ()
    labels = tuple(str(size) for size in costs)
    speed = Figure(
        "Examples a second by batch size",
        "bars",
        {"examples a second": tuple(round(rate, 1) for rate, _ in costs.values())},
        labels,
    )
    memory = Figure(
        "Memory that a forward keeps for its backward, by batch size",
        "bars",
        {"MiB": tuple(round(kept / 2**20, 2) for _, kept in costs.values())},
        labels,
    )
    return (speed, memory)


def _advice(
    size: int, seen: int, at_start: float, later: float, costs: dict[int, tuple[float, float]], trial: Trial
) -> dict[str, Any]:
    # the paper's scale is that of the training, which the first gradients do not show yet
    scales = {"noise_scale_at_start": at_start, "noise_scale_later": later}
    advice: dict[str, Any] = {
        name: _rounded(one) if math.isfinite(one) else f"more than {seen}"
        for name, one in scales.items()
        if not math.isnan(one)
    }
    if math.isnan(later):
        return advice
    told = f"{later:.0f}" if later <= seen else f"{seen} or more, as far as {seen} examples tell"
    scale = min(later, seen)
    largest = 2 ** max(round(math.log2(max(scale, 1.0))), 3)
    if largest > size:
        doubled = "2" if _plain(trial) else "1.4"
        because = (
            f"gradients have as much noise as signal in batches of {told}: up to about there, twice the batch is "
            f"worth nearly twice the steps, with {doubled} times the learning rate"
        )
    else:
        because = f"gradients have as much noise as signal in batches of {told}: larger ones than now gain little"
    return advice | {
        "batch_size_at_most": largest,
        "batch_size_because": because,
        "rates_by_batch_size": {
            str(other): _rounded(rate_of(trial.optimizer) * _share(other, size, scale, trial)) for other in costs
        },
    }


def _share(other: int, size: int, scale: float, trial: Trial) -> float:
    """Return the rate for another batch size, over the one for `size` (McCandlish et al. 2018, equation 2.10).

    Adaptive optimizers: the square root of it (Malladi et al. 2022).
    """
    ratio = (1 + scale / size) / (1 + scale / other)
    return ratio if _plain(trial) else math.sqrt(ratio)


def _plain(trial: Trial) -> bool:
    return isinstance(trial.optimizer, torch.optim.SGD)


def _rounded(value: float) -> float:
    return float(f"{value:.2g}")
