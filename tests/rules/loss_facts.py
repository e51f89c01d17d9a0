"""Runs whose loss and outputs are known by their graphs: what the hooks write down of the first batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from trainhealth.series import RunView
from trainhealth.testing import make_run

FALLING = (2.2 * np.exp(-np.arange(300) / 40) + 0.05).tolist()
STUCK = [2.3] * 300
SAMPLED = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256)


def facts_of(function: str, *nodes: str, **facts: Any) -> dict[str, Any]:
    """Return the facts of a loss whose input came from these nodes, nearest first."""
    graph = [f"{node}Backward0" for node in nodes]
    return {"loss_function": function, "loss_composed": False, "loss_input_graph": graph, **facts}


def run_with(
    function: str, *nodes: str, losses: list[float] | None = None, batch: dict[str, float] | None = None, **facts: Any
) -> RunView:
    """Return a run with this loss, and with the same `batch` in every sample."""
    samples = {step: dict(batch or {}) for step in SAMPLED}
    known = facts_of(function, *nodes, **facts)
    return make_run(FALLING if losses is None else losses, batch_size=32, batch=samples, facts=known)
