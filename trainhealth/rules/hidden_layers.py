"""Which activation functions stand inside a model, with layers after them."""

from __future__ import annotations

from collections.abc import Iterable

from trainhealth.records import LayerEntry
from trainhealth.series import RunView


def hidden_activations(run: RunView, functions: Iterable[str]) -> tuple[LayerEntry, ...]:
    """Return the activation functions of the named kinds that a layer follows, in order of execution.

    What stands after the last layer shapes the output (probabilities, bounded actions): a confident model saturates
    it rightly.
    """
    wanted = frozenset(functions)
    layers = [index for index, entry in enumerate(run.layers) if not entry.activation]
    last = layers[-1] if layers else -1
    return tuple(entry for entry in run.layers[: last + 1] if entry.activation in wanted)
