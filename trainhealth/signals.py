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
    BATCH = "batch"  # one value a sampled step, about its batch or its update as a whole


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
    Signal("validation_unseen_share", Scope.EVALUATION, "fraction", "Share of the validation targets whose class was not among the training targets of the steps sampled so far."),
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
    Signal("recurrent_gain", Scope.LAYER, "powers of ten", "By how much the recurrent weights of a plain RNN scale a gradient on its way back through the whole sequence: its length x log10 of their spectral radius; saturation makes it smaller still."),
    Signal("saturated_fraction", Scope.LAYER, "fraction", "Share of a sigmoid's or tanh's outputs within 0.01 of the range's width of a bound."),
    # one value a parameter, on sampled steps
    Signal("parameter_norm", Scope.PARAMETER, "parameter unit", "L2 norm of the parameter.", Merge.FIRST),
    Signal("parameter_nonfinite", Scope.PARAMETER, "elements", "Number of NaN or infinite elements in the parameter.", Merge.FIRST),
    Signal("parameter_gradient_norm", Scope.PARAMETER, "loss unit / parameter unit", "L2 norm of the parameter's gradient when backward returned: before clipping.", Merge.FIRST),
    Signal("gradient_nonfinite", Scope.PARAMETER, "elements", "Number of NaN or infinite elements in the gradient.", Merge.FIRST),
    Signal("update_ratio", Scope.PARAMETER, "1", "L2 norm of the step's update over the L2 norm of the parameter.", Merge.FIRST),
    # one value a parameter, on sampled steps: its start, its twins, what the optimizer remembers of it
    Signal("weight_mean", Scope.PARAMETER, "parameter unit", "Mean of the parameter before the step's update; at steps 0, 1, 2, 4, 8, … only.", Merge.FIRST),
    Signal("weight_std", Scope.PARAMETER, "parameter unit", "Standard deviation of the parameter before the step's update; at steps 0 (that of the initialisation), 1, 2, 4, 8, … only.", Merge.FIRST),
    Signal("equal_units", Scope.PARAMETER, "fraction", "Share of the parameter's units (first axis) whose weights and gradients both equal those of another unit, to 1e-6 of their size; at steps 0, 1, 2, 4, 8, … only.", Merge.FIRST),
    Signal("effective_learning_rate", Scope.PARAMETER, "parameter unit / gradient unit", "Median over elements of what an adaptive optimizer multiplies a gradient with: rate / (root of its second moment + eps).", Merge.FIRST),
    Signal("second_moment", Scope.PARAMETER, "gradient unit", "Root of the mean of what an adaptive optimizer remembers of the squared gradient, its bias corrected.", Merge.FIRST),
    Signal("leftover_share", Scope.PARAMETER, "fraction", "Least share of the parameter's gradient, as norms, that stood there already whenever a backward of the step wrote to it: 0 where gradients were zeroed; of one weight an optimizer, where several optimizers or models take turns.", Merge.FIRST),
    # one value a layer, on sampled steps: batch normalisation
    Signal("batchnorm_mean_gap", Scope.LAYER, "running standard deviations", "Root mean square over channels of batch mean minus running mean, in running standard deviations."),
    Signal("batchnorm_variance_ratio", Scope.LAYER, "1", "Median over channels of batch variance over running variance."),
    # one value a sampled step: what entered the model
    Signal("input_mean", Scope.BATCH, "input unit", "Mean of the model's first floating-point input."),
    Signal("input_std", Scope.BATCH, "input unit", "Standard deviation of the model's first floating-point input.", Merge.MOMENTS),
    Signal("input_minimum", Scope.BATCH, "input unit", "Smallest value of the model's first floating-point input.", Merge.MINIMUM),
    Signal("input_maximum", Scope.BATCH, "input unit", "Largest value of the model's first floating-point input.", Merge.MAXIMUM),
    Signal("input_nonfinite", Scope.BATCH, "elements", "Number of NaN or infinite elements in the model's input.", Merge.SUM),
    Signal("input_features", Scope.BATCH, "features", "Features of the input: its last axis where it has two, else the axis that the model's first layer takes as features, else its channels.", Merge.FIRST),
    Signal("constant_features", Scope.BATCH, "features", "Features of the input that had one and the same value in all sampled batches so far.", Merge.MINIMUM),
    Signal("feature_std_ratio", Scope.BATCH, "1", "Largest over lower quartile of the standard deviations of the features that are not constant, over all sampled batches so far.", Merge.MAXIMUM),
    Signal("feature_mean_ratio", Scope.BATCH, "1", "Median over features of the absolute mean over the standard deviation, over all sampled batches so far."),
    Signal("evaluation_input_mean", Scope.BATCH, "input unit", "Mean of the first floating-point input of an evaluation's first forward."),
    Signal("evaluation_input_std", Scope.BATCH, "input unit", "Standard deviation of the first floating-point input of an evaluation's first forward.", Merge.MOMENTS),
    # … what came out of it, and what should have
    Signal("data_loss", Scope.BATCH, "as train_loss", "What the loss function alone gives for the batch, where the training script adds other terms to it (a penalty, another head)."),
    Signal("output_example_std", Scope.BATCH, "output unit", "Standard deviation of the model's output over the examples of the batch, root mean square over units."),
    Signal("output_std", Scope.BATCH, "output unit", "Standard deviation of the model's output over batch and units."),
    Signal("output_minimum", Scope.BATCH, "output unit", "Smallest value of the model's output.", Merge.MINIMUM),
    Signal("output_maximum", Scope.BATCH, "output unit", "Largest value of the model's output.", Merge.MAXIMUM),
    Signal("output_sum_error", Scope.BATCH, "1", "Largest distance from 1 of an example's sum over the outputs' class axis: 0 where outputs are already a distribution.", Merge.MAXIMUM),
    Signal("prediction_majority_share", Scope.BATCH, "fraction", "Share of the batch for which the most frequent prediction was made."),
    Signal("target_minimum", Scope.BATCH, "target unit", "Smallest target of the batch.", Merge.MINIMUM),
    Signal("target_maximum", Scope.BATCH, "target unit", "Largest target of the batch.", Merge.MAXIMUM),
    Signal("target_mean", Scope.BATCH, "target unit", "Mean of the targets of the batch."),
    Signal("target_std", Scope.BATCH, "target unit", "Standard deviation of the targets of the batch.", Merge.MOMENTS),
    Signal("batch_classes", Scope.BATCH, "classes", "Distinct classes among the targets of the batch.", Merge.MAXIMUM),
    Signal("batch_majority_share", Scope.BATCH, "fraction", "Share of the most frequent class among the targets of the batch."),
    Signal("classes_seen", Scope.BATCH, "classes", "Distinct classes among all targets looked at so far.", Merge.MAXIMUM),
    Signal("majority_share", Scope.BATCH, "fraction", "Share of the most frequent class among all targets looked at so far."),
    Signal("minority_share", Scope.BATCH, "fraction", "Share of the rarest class that was seen among all targets looked at so far."),
    # … gradients and the update as a whole
    Signal("clipped_gradient_norm", Scope.BATCH, "loss unit / parameter unit", "L2 norm of the gradient over all parameters when the optimizer began its step: after unscaling and clipping.", Merge.FIRST),
    Signal("gradient_cosine", Scope.BATCH, "1", "Cosine between the gradients of two successive steps, over a strided sample of all parameters.", Merge.FIRST),
    Signal("gradient_noise_scale", Scope.BATCH, "samples", "Simple noise scale: trace of the gradients' covariance a sample over the squared true gradient, from micro-batches, ranks or successive steps, over the last 8 estimates; infinite where no true gradient shows.", Merge.FIRST),
    Signal("rank_gradient_ratio", Scope.BATCH, "1", "Squared norm of the gradient of a rank's own examples over that of the mean over the ranks, over a strided sample of all parameters: 1 where there is no noise, the number of ranks where there is nothing else."),
    Signal("leftover_gradient_norm", Scope.BATCH, "loss unit / parameter unit", "L2 norm of the gradient that stood in the parameters when the first backward of the step began: 0 where gradients were zeroed.", Merge.FIRST),
    Signal("loss_scale", Scope.BATCH, "1", "Factor that a loss scaler had put into the gradients.", Merge.FIRST),
    # … modes, time and the machine
    Signal("training_mode", Scope.BATCH, "fraction", "Share of dropout and batch-norm modules that were in training mode in the training forward.", Merge.FIRST),
    Signal("evaluation_training_mode", Scope.BATCH, "fraction", "Share of dropout and batch-norm modules that were in training mode in an evaluation's first forward; 0 where the model itself was in evaluation mode, and they were put in training mode one by one.", Merge.FIRST),
    Signal("evaluation_active_dropout", Scope.BATCH, "calls", "Calls of dropout that dropped something in a forward of an evaluation although the model was in evaluation mode; no value where the evaluation goes through one tensor several times, or modules were put in training mode one by one.", Merge.MAXIMUM),
    Signal("data_share", Scope.BATCH, "fraction", "Share of the time since the sample before that passed between the end of a step and the next forward, where no evaluation came between: loading data, mostly. Not on accelerators.", Merge.MAXIMUM),
    Signal("process_memory", Scope.BATCH, "bytes", "Resident memory of the training process.", Merge.SUM),
    Signal("device_memory", Scope.BATCH, "bytes", "Memory of the accelerator that tensors take.", Merge.SUM),
    Signal("cpu_share", Scope.BATCH, "fraction", "Share of all cores' time that the machine spent working since the last look.", Merge.MAXIMUM),
    Signal("gpu_share", Scope.BATCH, "fraction", "Share of time in which the accelerator had work, since the last look.", Merge.MINIMUM),
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
