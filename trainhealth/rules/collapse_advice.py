"""What to do about outputs that are all alike: where what tells the examples apart gets lost, and how to look."""

from __future__ import annotations

import math

import numpy as np

from trainhealth.findings import Recommendation
from trainhealth.rules.sampled import LATEST
from trainhealth.series import Columns, RunView

FOLLOW = Recommendation(
    "Follow example_std from the first layer to the last: where it falls to 0, the signal is lost.",
    "Dead or saturated units, vanishing weights and normalisation over one example all end there.",
    "output_example_std rises, and train_loss falls below the loss of a constant answer.",
    recipe="check-the-loss",
)
_LABELS = Recommendation(
    "Print 20 inputs with their labels, as the model gets them: after indexing, shuffling and augmentation.",
    "The layers tell the inputs apart, and the best answer to labels that don't belong to them is always the same.",
    "Inputs and labels match, and output_example_std rises while train_loss falls.",
    recipe="check-labels",
)
_LAST_STATE = Recommendation(
    "Take the last state of a real step: pack the sequences (pack_padded_sequence), or index by their lengths.",
    "After a hundred steps of padding a recurrent layer's last state is the same for all inputs.",
    "output_example_std is above 0 from the first step on.",
    recipe="pack-the-sequences",
)
WEIGH = Recommendation(
    "Take all terms of the loss over the same numbers: sums over an example, and their mean over the batch.",
    "A divergence that is summed over the batch outweighs an error that is averaged over it and over all outputs: then"
    " a code that says nothing costs least.",
    "output_example_std rises to more than half of the examples' deviation.",
    "The size of the loss and of its gradient changes: look at the learning rate again.",
    "check-the-loss",
)
RAISE_SLOWLY = Recommendation(
    "Or give the other term a small weight, and raise it from 0 over the first epochs.",
    "The decoder learns to use the code before the code has to be simple.",
    "output_example_std has risen by the time at which the weight is full, and does not fall back to 0.",
    recipe="check-the-loss",
)
_RECURRENT = ("LSTM", "GRU", "RNN")
OVERFIT = Recommendation(
    "Overfit twenty examples, with a rate ten times as low and from fresh weights.",
    "A model and a loss that are right reach an accuracy of 1 there; if not, one of them is wrong.",
    "train_loss on the twenty examples falls to nearly 0.",
    recipe="check-the-loss",
)
COUNT_ANSWERS = Recommendation(
    "Count the classes that the model answers on validation data, and those of the data.",
    "One answer to everything has the accuracy of that class's share, whatever is trained.",
    "More than one class is answered, and validation_accuracy differs from one evaluation to the next.",
    recipe="check-labels",
)


def where_to_look(run: RunView, apart: float, had: float, lost: float) -> Recommendation:
    """Return the first advice, by where what tells examples apart gets lost: in a layer, or in none."""
    spreads, deviations = run.columns("example_std"), run.columns("activation_std")
    layers = run.layers[:-1]  # the last one gives the outputs
    if not layers or not len(spreads) or not len(deviations):
        return FOLLOW
    shares = [_last(spreads, layer.name) / max(_last(deviations, layer.name), 1e-30) for layer in layers]
    if not min(shares) >= apart:  # NaN, too
        return FOLLOW
    spread, whole = (run.series(name).finite().values for name in ("output_example_std", "output_std"))
    first = float(_first(spreads, layers[-1].name))
    if len(spread) and len(whole) and spread[0] >= had * whole[0] and spread[0] >= lost * first:
        return _LABELS
    return _LAST_STATE if layers[-1].type in _RECURRENT else FOLLOW


def _first(columns: Columns, place: str) -> float:
    values = columns.place(place).finite().values
    return float(values[0]) if len(values) else math.nan


def _last(columns: Columns, place: str) -> float:
    values = columns.place(place).finite().values
    return float(np.median(values[-LATEST:])) if len(values) else math.nan
