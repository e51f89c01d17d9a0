"""The closed list of signals: what each number in a log means, its unit, and how ranks merge.

A signal that is not in this list can still be logged (``watch.log(my_metric=…)``) and drawn, but no rule reads it.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from enum import Enum


class Scope(Enum):
    """What one value of a signal belongs to."""

    STEP = "step"  # one value an optimizer update
    EVALUATION = "evaluation"  # one value an epoch or an evaluation
    LAYER = "layer"  # one value a layer or activation, on sampled steps
    PARAMETER = "parameter"  # one value a parameter tensor, on sampled steps
    INPUT = "input"  # one value a sampled step, about the batch that entered the model


class Merge(Enum):
    """How the reader makes one value out of several ranks' (ranks never talk to each other while training)."""

    MEAN = "mean"  # weighted by batch size
    MOMENTS = "moments"  # the std of a mixture: weighted mean of squares and of means
    MAXIMUM = "maximum"
    MINIMUM = "minimum"
    SUM = "sum"
    FIRST = "first"  # the same on every rank by construction (replicated): rank 0
    UNITS = "units"  # from the ranks' bit sets of dead units, merged with AND


@dataclass(frozen=True, slots=True)
class Signal:
    """A named series: its scope, unit, meaning in one sentence, and merge over ranks."""

    name: str
    scope: Scope
    unit: str
    meaning: str
    merge: Merge = Merge.MEAN


# fmt: off
_ALL = (
    # one value a step
    Signal("train_loss", Scope.STEP, "nats a sample, or the loss's own unit", "Loss of the step's batch as the training script computed it."),
    Signal("train_accuracy", Scope.STEP, "fraction", "Share of the batch (or epoch) that the model classified rightly while training."),
    Signal("learning_rate", Scope.STEP, "1", "Rate of the parameter group that holds most parameters.", Merge.FIRST),
    Signal("batch_size", Scope.STEP, "samples", "Samples that the step saw, over all micro-batches.", Merge.SUM),
    Signal("gradient_norm", Scope.STEP, "loss unit / parameter unit", "L2 norm of the gradient over all parameters when backward returned: before clipping.", Merge.FIRST),
    # one value an evaluation
    Signal("validation_loss", Scope.EVALUATION, "nats a sample, or the loss's own unit", "Mean loss over the validation split."),
    Signal("validation_accuracy", Scope.EVALUATION, "fraction", "Share of the validation split that the model classified rightly."),
    Signal("test_loss", Scope.EVALUATION, "nats a sample, or the loss's own unit", "Mean loss over the test split."),
    Signal("test_accuracy", Scope.EVALUATION, "fraction", "Share of the test split that the model classified rightly."),
    # one value a layer or activation function, on sampled steps
    Signal("activation_mean", Scope.LAYER, "1", "Mean of the output over batch and units."),
    Signal("activation_std", Scope.LAYER, "1", "Standard deviation of the output over batch and units.", Merge.MOMENTS),
    Signal("example_std", Scope.LAYER, "1", "Standard deviation of the output over the examples of a batch, root mean square over units: what depends on the input."),
    Signal("activation_maximum", Scope.LAYER, "1", "Largest absolute value of the output.", Merge.MAXIMUM),
    Signal("activation_nonfinite", Scope.LAYER, "elements", "Number of NaN or infinite elements in the output.", Merge.SUM),
    Signal("zero_fraction", Scope.LAYER, "fraction", "Share of output elements that are exactly zero: sparsity, which is no illness."),
    Signal("dead_fraction", Scope.LAYER, "fraction", "Share of units that were zero for every example of the last window of sampled batches.", Merge.UNITS),
    Signal("saturated_fraction", Scope.LAYER, "fraction", "Share of a sigmoid's or tanh's outputs within 0.01 of the range's width of a bound."),
    # one value a parameter, on sampled steps
    Signal("parameter_norm", Scope.PARAMETER, "parameter unit", "L2 norm of the parameter.", Merge.FIRST),
    Signal("parameter_nonfinite", Scope.PARAMETER, "elements", "Number of NaN or infinite elements in the parameter.", Merge.FIRST),
    Signal("parameter_gradient_norm", Scope.PARAMETER, "loss unit / parameter unit", "L2 norm of the parameter's gradient when backward returned: before clipping.", Merge.FIRST),
    Signal("gradient_nonfinite", Scope.PARAMETER, "elements", "Number of NaN or infinite elements in the gradient.", Merge.FIRST),
    Signal("update_ratio", Scope.PARAMETER, "1", "L2 norm of the step's update over the L2 norm of the parameter.", Merge.FIRST),
    # one value a sampled batch
    Signal("input_mean", Scope.INPUT, "input unit", "Mean of the model's first floating-point input."),
    Signal("input_std", Scope.INPUT, "input unit", "Standard deviation of the model's first floating-point input.", Merge.MOMENTS),
    Signal("input_minimum", Scope.INPUT, "input unit", "Smallest value of the model's first floating-point input.", Merge.MINIMUM),
    Signal("input_maximum", Scope.INPUT, "input unit", "Largest value of the model's first floating-point input.", Merge.MAXIMUM),
    Signal("input_nonfinite", Scope.INPUT, "elements", "Number of NaN or infinite elements in the model's input.", Merge.SUM),
)
# fmt: on

SIGNALS: dict[str, Signal] = {signal.name: signal for signal in _ALL}

LOWER_IS_BETTER = ("train_loss", "validation_loss", "test_loss")
HIGHER_IS_BETTER = ("train_accuracy", "validation_accuracy", "test_accuracy")


def near_miss(name: str) -> str | None:
    """Return the known signal that `name` was probably meant to be, or None.

    >>> near_miss("validation_los"), near_miss("val_loss"), near_miss("f1")
    ('validation_loss', 'validation_loss', None)
    """
    if name in SIGNALS:
        return None
    spelled = re.sub(r"[-/. ]", "_", name.lower())
    for short, long in (
        ("valid_", "validation_"),
        ("val_", "validation_"),
        ("training_", "train_"),
        ("_acc", "_accuracy"),
    ):
        if spelled.startswith(short) and short.endswith("_"):
            spelled = long + spelled[len(short) :]
        elif spelled.endswith(short) and short.startswith("_"):
            spelled = spelled[: -len(short)] + long
    spelled = {
        "lr": "learning_rate",
        "loss": "train_loss",
        "accuracy": "train_accuracy",
        "acc": "train_accuracy",
    }.get(spelled, spelled)
    if spelled in SIGNALS:
        return spelled
    # a slip changes a letter or two inside the word; best_accuracy and train_loss_2 are names of their own
    similar = [known for known in SIGNALS if known[0] == spelled[:1] and abs(len(known) - len(spelled)) <= 2]
    close = difflib.get_close_matches(spelled, similar, n=1, cutoff=0.85)
    return close[0] if close and not re.search(r"\d", spelled) else None
