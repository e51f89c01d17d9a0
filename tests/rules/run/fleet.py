"""Several ranks that train together, or do not: what each logs of its weights and its loss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trainhealth.builder import RunBuilder
from trainhealth.records import LayoutRecord, ParameterEntry, Record, SampleRecord, StepRecord
from trainhealth.series import FloatArray, RunView

NAMES = ("a.weight", "b.weight", "b.bias")


def fleet(weights: FloatArray, losses: FloatArray | None = None, sampled: Sequence[int] | None = None) -> RunView:
    """Return the view of a run whose ranks' parameters have the means and norms `weights` [ranks, steps, 3]."""
    builder = RunBuilder()
    for rank, own in enumerate(weights):
        layout = LayoutRecord(step=0, time=0.0, layout=0, parameters=[ParameterEntry(name=n, shape=[4]) for n in NAMES])
        records: list[Record] = [layout]
        for step, values in enumerate(own):
            loss = 1.0 if losses is None else float(losses[rank, step])
            records.append(StepRecord(step=step, time=float(step), train_loss=loss))
            if sampled is None or step in sampled:
                columns = {"weight_mean": values.tolist(), "weight_std": [1.0] * 3, "parameter_norm": values.tolist()}
                records.append(SampleRecord(step=step, time=float(step), layout=0, batch_size=8, parameters=columns))
        builder.feed(records, rank)
    return builder.view()


def wandering(ranks: int, steps: int, every: int | None = None, step: float = 0.01, seed: int = 0) -> FloatArray:
    """Return parameters [ranks, steps, 3] that begin equal, wander, and are averaged after `every` steps."""
    random, weights = np.random.default_rng(seed), np.ones((ranks, steps, 3))
    for i in range(1, steps):
        last = weights[:, i - 1]
        if every is not None and i % every == 0:
            last = np.broadcast_to(last.mean(axis=0), last.shape)
        weights[:, i] = last + random.normal(0, step, (ranks, 3))
    return weights
