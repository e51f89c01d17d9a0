"""Which sigmoids of a model are gates: they multiply the output of another layer."""

from __future__ import annotations

from trainhealth.records import LayerEntry
from trainhealth.series import RunView


def is_gate(run: RunView, function: LayerEntry) -> bool:
    """Tell whether an activation function is probably a gate.

    Beside the layer that feeds it there is another of as many units whose output neither an activation function nor a
    layer gets by itself: the two are multiplied. The last layer of a model gives the output and does not count.
    """
    layers = [entry for entry in run.layers if not entry.activation]
    taken = {entry.fed_by for entry in run.layers}
    return any(
        entry.units == function.units and entry.name not in taken and "Norm" not in entry.type
        for entry in layers[:-1]
        if entry.name != function.fed_by
    )
