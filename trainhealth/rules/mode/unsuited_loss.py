"""MO08 unsuited-loss: the loss function is not made for these outputs or targets."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.breakdown import poor_loss, recent_level, untrained_loss
from trainhealth.rules.loss_input import (
    CROSS_ENTROPIES,
    SQUARED_AND_ABSOLUTE,
    LossInput,
    classes_of,
    last_operation,
    loss_input,
    loss_seen,
    shape_of,
)
from trainhealth.rules.missing_logarithms import missing_logarithm
from trainhealth.rules.objective import moving_target
from trainhealth.rules.sampled import latest, samples_of, usual
from trainhealth.series import RunView

_SQUASHING = ("softmax", "sigmoid")
_WITH_AXIS = ("softmax", "log_softmax", "log")  # "log": of a softmax, or there is no axis
_CLASSIFY = Recommendation(
    "Use cross_entropy on the raw outputs, one a class, with class indices as targets.",
    "Its gradient is as large as the error; that of a squared error fades where the model is sure and wrong.",
    "train_loss starts near the logarithm of the number of classes and falls; accuracy rises sooner.",
    "The learning rate has to be found again.",
    "check-the-loss",
    Change("loss", "a distance", "cross_entropy"),
)


class UnsuitedLoss(Rule):
    """The loss function does not fit what enters it: it measures something else than was meant.

    What it detects
        The loss function and the last operation before it (from the graph behind the loss), the axis of a softmax, and
        the targets: one-hot, class numbers, several labels (target_mean, target_minimum, target_maximum).

    Why it matters
        nll_loss or kl_div of plain probabilities or scores has no logarithm in it, and with scores no lower bound: a
        divergence is then no divergence, it falls below 0 and is not least where both agree. A softmax over
        the batch makes examples compete instead of classes. A squared error on classes behind a softmax or sigmoid has
        nearly no gradient where the model is sure and wrong; on class numbers it calls class 3 the mean of 2 and 4. A
        class whose number is the loss's ignore_index is never learnt, and each of its examples is answered wrongly.

    How it decides
        Swapped: only the second argument of a binary cross-entropy, its targets, comes from the model.
        nll: a softmax, sigmoid or linear layer directly before it.
        kl_div (the term sum(t log t - t x), which is known by its form): a softmax or sigmoid directly before x, or a
        linear layer where the targets t [N, C] sum to 1 an example.
        ctc: train_loss has been below 0, which no likelihood of probabilities is.
        Axis: a softmax over axis 0 of outputs [N, C], N unlike C; or a cross_entropy of N outputs with N targets, which
        takes the batch for the classes (where the targets sum to 1, it is one example, and right).
        ignore_index: it is one of the classes, each example has one label, all classes are among the targets, and none
        is rarer than `rare` or more frequent than `frequent` times an even share.
        Several labels: cross_entropy with targets [N, C] that sum to more than 1 + `labels` an example.
        Squared or absolute error on classes: targets [N, C] of zeros and ones, with exactly one one each; or one output
        and targets 0 and 1 (both in the usual batch); or one output and whole targets from 0 to at most `classes`,
        stored as integers. A warning behind a softmax or sigmoid, unless train_loss has come below `learnt` of the
        untrained one; or where it stands above `poor` of that and falls no more; else a note: a squared error of linear
        outputs often does as well.

    What to try
        cross_entropy for one of several classes, binary_cross_entropy_with_logits for one or several yes-or-no answers.

    When it is wrong
        Autoencoders of binary data have many outputs and more than one one: silent; so are those of one-hot rows, where
        inputs and targets have the same mean. Grades and ratings are whole numbers with an order, for which the
        squared error is right: a note at most while the model learns. Counts and ages exceed `classes`: silent.
        Adversaries (least-squares GAN): silent where the log names them. A contrastive loss over a square matrix may
        take either axis: silent. What fills sequences and text up is rightly a class that is ignored: inputs that are
        whole numbers, and one label for each place, are silent; so are examples without a label that have a class of
        their own, unless they are as many as those of another. A loss computed by hand, or passed as a number: not
        checked.
    """

    code = "MO08"
    name = "unsuited-loss"
    topic = "mode"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("train_loss",)
    uses = (
        *("target_mean", "target_minimum", "target_maximum", "input_mean", "input_features"),
        *("classes_seen", "majority_share", "minority_share"),
    )
    references = (
        Reference(
            "PyTorch documentation: torch.nn.CTCLoss",
            "The input is logarithms of probabilities, as torch.nn.functional.log_softmax gives them.",
            "https://docs.pytorch.org/docs/stable/generated/torch.nn.CTCLoss.html",
        ),
        Reference(
            "PyTorch documentation: torch.nn.NLLLoss",
            "The input is expected to contain log-probabilities of each class.",
            "https://docs.pytorch.org/docs/stable/generated/torch.nn.NLLLoss.html",
        ),
        Reference(
            "PyTorch documentation: torch.nn.KLDivLoss",
            "The input is expected in the log-space; the target in it only with log_target=True.",
            "https://docs.pytorch.org/docs/stable/generated/torch.nn.KLDivLoss.html",
        ),
        Reference(
            "PyTorch documentation: torch.nn.CrossEntropyLoss",
            "A target value of ignore_index is ignored and does not contribute to the input gradient.",
            "https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html",
        ),
        Reference(
            "Goodfellow, Bengio and Courville 2016: Deep Learning, section 6.2.2",
            "Squared error is a poor loss for softmax units: they may saturate and not learn although they are wrong.",
            "https://www.deeplearningbook.org/contents/mlp.html",
        ),
        Reference(
            "Hui and Belkin 2020: Evaluation of Neural Architectures Trained with Square Loss vs Cross-Entropy",
            "With linear outputs, the squared error is often as good as cross-entropy.",
            "https://arxiv.org/abs/2006.07322",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        labels: float = option(0.05, "positives an example", "house choice: exclusive classes have exactly one")
        classes: float = option(20.0, "largest class number", "house choice: counts and ages go beyond")
        rare: float = option(0.25, "of an even share", "house choice: what is rarer may be a mark, and no class")
        frequent: float = option(3.0, "of an even share", "house choice: examples without a label are often the most")
        poor: float = option(0.6, "share of the untrained loss", "house choice: as saturated-activations")
        learnt: float = option(0.1, "share of the untrained loss", "house choice, as memorised-noise: the task is done")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if the loss is not made for the outputs or targets."""
        entering = loss_input(run)
        found = self._swapped(run) or self._no_logarithm(run, None if isinstance(entering, str) else entering)
        if found:
            return [found]
        if isinstance(entering, str):
            wrong_axis = self._wrong_axis(run)
            return [wrong_axis] if wrong_axis else NotChecked(entering)
        found = (
            self._wrong_axis(run)
            or self._ignored_class(run, options)
            or self._several_labels(run, entering, options.labels)
            or self._distance_between_classes(run, entering, options)
        )
        return [found] if found else []

    def _swapped(self, run: RunView) -> Finding | None:
        if run.facts.get("loss_swapped") is not True:
            return None
        function = run.facts.get("loss_function")
        return self.finding(
            f"{function} gets the targets in the place of the outputs, and the model's outputs in that of the targets.",
            [loss_seen(run, "the cost of the outputs, by the targets")],
            [
                Recommendation(
                    "Swap the two arguments: the outputs come first, loss(outputs, targets).",
                    "The logarithm is taken of the first argument: of targets of 0 and 1 it is minus 100, or 0.",
                    "train_loss starts near 0.69 and falls.",
                    recipe="check-the-loss",
                )
            ],
            severity=Severity.CRITICAL,
            confidence=Confidence.CERTAIN,
        )

    def _no_logarithm(self, run: RunView, entering: LossInput | None) -> Finding | None:
        missing = missing_logarithm(run, entering)
        if missing is None:
            return None
        return self.finding(
            missing.fact,
            [loss_seen(run, missing.expected)],
            [missing.advice],
            severity=missing.severity,
            confidence=missing.confidence,
        )

    def _wrong_axis(self, run: RunView) -> Finding | None:
        shape = shape_of(run, "loss_input_shape") or shape_of(run, "output_shape")
        if shape is None or not shape or shape[0] < 2:
            return None
        axis = run.facts.get("softmax_axis")
        over_batch = (
            len(shape) == 2
            and shape[1] not in (1, shape[0])
            and type(axis) is int  # False would be 0
            and axis == 0
            and (run.facts.get("loss_function") in CROSS_ENTROPIES or last_operation(run) in _WITH_AXIS)
        )
        if not over_batch:
            flat = run.facts.get("loss_function") == "soft_cross_entropy" and len(shape) == 1
            total = usual(run, "target_mean") * shape[0]
            if not flat or shape_of(run, "target_shape") != shape or not abs(total - 1) > 0.05:
                return None
        return self.finding(
            f"The softmax runs over axis 0 of outputs of shape {list(shape)}: the examples of a batch compete with each"
            " other.",
            [loss_seen(run, "a loss in which examples do not compete")],
            [
                Recommendation(
                    "Take the softmax over the axis of the classes: dim=1 for outputs of shape [N, C]."
                    if over_batch
                    else "For one output an example use binary_cross_entropy_with_logits.",
                    "Probabilities belong to the classes of one example.",
                    "The probabilities of each example sum to 1, whatever else is in the batch.",
                    recipe="check-the-loss",
                )
            ],
            severity=Severity.CRITICAL,
            confidence=Confidence.CERTAIN,
        )

    def _ignored_class(self, run: RunView, options: Options) -> Finding | None:
        classes, index = classes_of(run), run.facts.get("ignore_index")
        if type(index) is not int or not 0 <= index < classes or not run.has("input_mean"):  # False would be 0
            return None
        labels, read, given = (shape_of(run, f"{name}_shape") for name in ("target", "loss_input", "input"))
        if labels is None or not given or len(labels) != 1 or labels[0] != given[0] or read != (labels[0], classes):
            return None
        seen, most, least = (latest(run, name) for name in ("classes_seen", "majority_share", "minority_share"))
        if seen != classes or not (options.rare / classes <= least and most <= options.frequent / classes):
            return None
        steps, others = run.series("classes_seen").steps, f"{classes - 1}, without class {index}"
        return self.finding(
            f"The loss ignores class {index} (ignore_index={index}), which is one of the {classes} classes: its"
            " examples never count, and get the answer of another class.",
            [Evidence("classes_seen", None, int(steps[0]), int(steps[-1]), seen, others)],
            [
                Recommendation(
                    "Leave ignore_index out, or at -100, its default.",
                    "It is for targets that are no class: filling, and places without a label.",
                    f"The model answers with class {index}, too, and accuracy rises.",
                    f"If class {index} is the mark of examples without a label, leave them out of the data, too.",
                    "check-the-loss",
                    Change("ignore_index", index, -100),
                )
            ],
        )

    def _several_labels(self, run: RunView, entering: LossInput, labels: float) -> Finding | None:
        shape = shape_of(run, "target_shape")
        same = shape is not None and len(shape) == 2 and shape == shape_of(run, "output_shape")
        if entering.function != "soft_cross_entropy" or not same or shape is None:
            return None
        positives = usual(run, "target_mean") * shape[1]
        if not (positives > 1 + labels and usual(run, "target_minimum") >= 0):
            return None
        steps = run.series("target_mean").steps
        return self.finding(
            f"cross_entropy gets targets that sum to {number(positives)} an example; it is made for probabilities of"
            " exclusive classes, which sum to 1.",
            [Evidence("target_mean", None, int(steps[0]), int(steps[-1]), positives / shape[1], "1 / outputs")],
            [
                Recommendation(
                    "Use binary_cross_entropy_with_logits.",
                    "Labels that may hold together are as many yes-or-no questions.",
                    "Several outputs of one example are above 0.",
                    recipe="check-the-loss",
                )
            ],
        )

    def _distance_between_classes(self, run: RunView, entering: LossInput, options: Options) -> Finding | None:
        if entering.function not in SQUARED_AND_ABSOLUTE or moving_target(run) is not None:
            return None
        targets = _one_hot(run) or _yes_or_no(run) or _class_numbers(run, options.classes)
        if targets is None:
            return None
        squashed = entering.operation in _SQUASHING
        lost = None if squashed else poor_loss(run, options.poor)
        wasteful = squashed and not _well_learnt(run, options.learnt)
        behind = f" behind a {entering.operation}" if squashed else ""
        progress = f" {lost.fact[0].upper()}{lost.fact[1:]}." if lost else ""
        steps = run.series("target_maximum").steps
        return self.finding(
            f"The loss is {entering.function}{behind}, and the targets are {targets}.{progress}",
            [
                Evidence(
                    "target_maximum",
                    None,
                    int(steps[0]),
                    int(steps[-1]),
                    usual(run, "target_maximum"),
                    "classes as targets of a cross-entropy",
                )
            ],
            [_CLASSIFY],
            severity=Severity.WARNING if lost or wasteful else Severity.NOTE,
            confidence=Confidence.LIKELY if squashed else Confidence.HINT,
        )


def _well_learnt(run: RunView, share: float) -> bool:
    losses = run.series("train_loss").finite().values
    return len(losses) > 0 and recent_level(losses) < share * untrained_loss(run)


def _one_hot(run: RunView) -> str | None:
    """Return the targets in words where each example has exactly one one among zeros; None where not."""
    shape = shape_of(run, "target_shape")
    if shape is None or len(shape) < 2 or shape[1] < 2 or shape != shape_of(run, "output_shape"):
        return None
    if not _zeros_and_ones(run) or samples_of(run, "target_mean") < 2:
        return None
    means = run.series("target_mean").finite().values * shape[1]
    features, entered = usual(run, "input_features"), usual(run, "input_mean")
    autoencoder = features == shape[1] and abs(entered * shape[1] - 1) < 0.01
    return None if np.abs(means - 1).max() > 1e-3 or autoencoder else f"one-hot: one of {shape[1]} classes"


def _yes_or_no(run: RunView) -> str | None:
    """Return the targets in words where each example has one, 0 or 1."""
    mixed = 0.02 < usual(run, "target_mean") < 0.98
    return "classes: 0 or 1" if _one_output(run) and _zeros_and_ones(run) and mixed else None


def _class_numbers(run: RunView, largest: float) -> str | None:
    """Return the targets in words where each example has one, a whole number from 0 to `largest`, stored as integer."""
    dtype = str(run.facts.get("target_dtype", ""))
    low, high = run.series("target_minimum").finite().values, run.series("target_maximum").finite().values
    if "int" not in dtype or not _one_output(run) or not len(low) or not len(high):
        return None
    top = float(high.max())
    return f"whole numbers from 0 to {number(top)}" if low.min() == 0 and 2 <= top <= largest else None


def _one_output(run: RunView) -> bool:
    output, target = shape_of(run, "output_shape"), shape_of(run, "target_shape")
    if not output or not target:
        return False
    return math.prod(output) == math.prod(target) == output[0]


def _zeros_and_ones(run: RunView) -> bool:
    whole = run.facts.get("target_integers") is True
    return whole and usual(run, "target_minimum") == 0 and usual(run, "target_maximum") == 1
