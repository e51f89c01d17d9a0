"""Parameters that lie in parts on the ranks (FSDP): merged, they have the numbers of the whole."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from trainhealth.builder import RunBuilder
from trainhealth.records import LayoutRecord, ParameterEntry, Record, SampleRecord
from trainhealth.series import RunView

RANKS = 3
SHAPES = {"weight": (7, 4), "bias": (2,)}  # three ranks hold 3, 3 and 1 of the rows, and 1, 1 and 0 of the biases


def norm(values: NDArray[np.float64]) -> float:
    return float(np.sqrt((values**2).sum()))


def parts(values: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return what each rank holds: rows in portions of equal size, as far as they go."""
    size = -(-len(values) // RANKS)
    return [values[rank * size : (rank + 1) * size] for rank in range(RANKS)]


def logs(weights: dict[str, NDArray[np.float64]], gradients: dict[str, NDArray[np.float64]]) -> list[list[Record]]:
    """Return what the ranks log of one step, whose update is a hundredth of the gradient; and a replicated scale."""
    entries = [ParameterEntry(name=name, shape=list(value.shape), sharded=True) for name, value in weights.items()]
    layout = LayoutRecord(step=0, time=0.0, layout=0, parameters=[*entries, ParameterEntry(name="scale", shape=[1])])
    ranks: list[list[Record]] = []
    for rank in range(RANKS):
        own = [(parts(weights[name])[rank], parts(gradients[name])[rank]) for name in weights]
        ratios = [0.01 * norm(g) / norm(w) if norm(w) else None for w, g in own]
        sample = SampleRecord(
            step=0,
            time=0.0,
            layout=0,
            batch_size=4,
            parameters={
                "parameter_norm": [*(norm(w) for w, _ in own), 2.0],
                "parameter_gradient_norm": [*(norm(g) for _, g in own), 3.0],
                "gradient_nonfinite": [*(float(rank) for _ in own), 1.0],
                "update_ratio": [*ratios, 0.5],
            },
        )
        ranks.append([layout, sample])
    return ranks


def merged(ranks: list[list[Record]]) -> RunView:
    builder = RunBuilder()
    for rank, log in enumerate(ranks):
        builder.feed(log, rank)
    return builder.view()


@pytest.fixture
def tensors() -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float64]]]:
    """Weights and gradients by name."""
    random = np.random.default_rng(0)
    return tuple({name: random.normal(size=shape) for name, shape in SHAPES.items()} for _ in range(2))  # type: ignore[return-value]  # two of them


def test_the_whole_follows_from_its_parts(tensors: tuple[dict[str, NDArray[np.float64]], ...]) -> None:
    """Norms, ratios and counts are those of the tensors as one; a replicated parameter beside them stays as it is."""
    weights, gradients = tensors
    view = merged(logs(weights, gradients))

    def at(signal: str, place: str) -> float:
        return float(view.columns(signal).place(place).values[0])

    for name in SHAPES:
        assert at("parameter_norm", name) == pytest.approx(norm(weights[name]), rel=1e-6)
        assert at("parameter_gradient_norm", name) == pytest.approx(norm(gradients[name]), rel=1e-6)
        assert at("update_ratio", name) == pytest.approx(0.01 * norm(gradients[name]) / norm(weights[name]), rel=1e-6)
        assert at("gradient_nonfinite", name) == 0 + 1 + 2
    assert [at(signal, "scale") for signal in ("parameter_norm", "update_ratio", "gradient_nonfinite")] == [2, 0.5, 1]
    whole = np.sqrt(sum(norm(value) ** 2 for value in gradients.values()) + 3.0**2)
    assert view.series("gradient_norm").values.tolist() == pytest.approx([whole], rel=1e-6)


def test_a_part_that_is_missing_is_no_zero(tensors: tuple[dict[str, NDArray[np.float64]], ...]) -> None:
    """Where a rank has not sampled the step, the norm of the whole is not known."""
    ranks = logs(*tensors)
    ranks[1].pop()
    view = merged(ranks)
    assert len(view.columns("parameter_norm").place("weight").finite()) == 0
    assert view.columns("parameter_norm").place("scale").values[0] == 2.0
