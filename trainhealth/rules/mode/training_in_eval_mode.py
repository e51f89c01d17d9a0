"""MO02 training-in-eval-mode: dropout and batch norm are in evaluation mode while the model is trained."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.sampled import usual_batch_size
from trainhealth.series import RunView


class TrainingInEvalMode(Rule):
    """The model is trained in evaluation mode: dropout does nothing, and batch norm's statistics stand still.

    What it detects
        training_mode: the share of dropout and batch-norm modules that were in training mode in a training forward.

    Why it matters
        Regularisation that was meant to act does not. Batch norm divides by statistics that no longer follow the
        weights: it does not normalise any more, and the running statistics are those of an older model.

    How it decides
        training_mode is 0 in the last `samples` sampled steps or more. Either it was above 0 before, and fell no later
        than after the first evaluation: model.train() is missing after it. Or it was 0 from the start, and batch-norm
        layers, if there are any, have trainable weights.

    What to try
        model.train() at the start of every epoch.

    When it is wrong
        Batch norm that is frozen on purpose while fine-tuning: silent where its weights are frozen too, where batches
        are below `small` examples, and where it is frozen later than after the first evaluation. A frozen batch norm
        with trainable weights and larger batches is a false alarm. Dropout of probability 0 has a mode, too.
    """

    code = "MO02"
    name = "training-in-eval-mode"
    topic = "mode"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("training_mode",)
    uses = ("batch_size",)
    references = (
        Reference(
            "L16 Practical Aspects; Reg Regularization: batch normalisation",
            "Behaves differently during training and testing: this is a very common source of bugs.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        samples: float = option(3.0, "sampled steps", "house choice")
        small: float = option(8.0, "examples a batch", "Wu and He 2018: below, batch norm is better frozen")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if training goes on in evaluation mode."""
        modes = run.series("training_mode").finite()
        if len(modes) < options.samples:
            return NotChecked(f"{len(modes)} sampled steps are too few: it takes {number(options.samples)}")
        on = np.flatnonzero(modes.values > 0)
        begin = int(on[-1]) + 1 if len(on) else 0
        if len(modes) - begin < options.samples or (not begin and _on_purpose(run, options.small)):
            return []
        if begin and run.epochs and modes.steps[begin - 1] > run.epochs[0].step:
            return []  # it was in training mode again after the first evaluation: nothing was forgotten there
        step = int(modes.steps[begin])
        since = f"since step {step} at the latest, and were in training mode before" if begin else "from the start"
        finding = self.finding(
            f"All dropout and batch-norm modules are in evaluation mode while training, {since}.",
            [Evidence("training_mode", None, step, modes.last_step, 0.0, "1")],
            [
                Recommendation(
                    "Call model.train() at the start of every epoch"
                    + (", after the evaluation's model.eval()." if begin else "."),
                    "model.eval() holds until model.train() is called; pretrained models are often loaded in it.",
                    "training_mode is 1 in every sample.",
                    "With dropout acting, train_loss rises a little while validation improves.",
                    "train-and-eval-mode",
                    Change("mode in training", "eval", "train"),
                )
            ],
        )
        return [finding]


def _on_purpose(run: RunView, small: float) -> bool:
    """Whether batch norm looks frozen on purpose: its weights are, or batches are too small for it."""
    layers = {entry.name for entry in run.layers if "BatchNorm" in entry.type}
    if not layers:
        return False
    weights = [entry for entry in run.parameters if entry.layer in layers]
    trained = any(entry.trainable and entry.optimized for entry in weights)
    return not trained or usual_batch_size(run) < small
