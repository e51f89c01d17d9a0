"""Losses that want logarithms of probabilities, and get something else: nll_loss, kl_div, ctc_loss."""

from __future__ import annotations

from typing import NamedTuple

from trainhealth.findings import Confidence, Recommendation, Severity
from trainhealth.rules.base import number
from trainhealth.rules.breakdown import recent_level
from trainhealth.rules.loss_input import LossInput, divergence_input, shape_of
from trainhealth.rules.sampled import usual
from trainhealth.series import RunView

_SQUASHING = ("softmax", "sigmoid")


class MissingLogarithm(NamedTuple):
    """What the loss gets, in a sentence, what would be seen otherwise, the repair, and how bad and sure it is."""

    fact: str
    expected: str
    advice: Recommendation
    severity: Severity
    confidence: Confidence


def missing_logarithm(run: RunView, entering: LossInput | None) -> MissingLogarithm | None:
    """Return what a loss of logarithms gets in their place; None where it gets them, or wants none.

    `entering` is what the graph tells of the loss and of the operation before it; None where it tells nothing.
    """
    likelihood = None if entering is None else _of_likelihood(run, entering)
    return _of_divergence(run) or likelihood or _of_alignment(run)


def _of_likelihood(run: RunView, entering: LossInput) -> MissingLogarithm | None:
    if entering.function != "nll" or entering.operation not in (*_SQUASHING, "linear"):
        return None
    scores = entering.operation == "linear"
    what = "scores of a linear layer" if scores else f"{entering.operation} outputs"
    return MissingLogarithm(
        f"nll_loss gets {what}, not logarithms of probabilities: train_loss is their negative, now {_now(run)}.",
        "a logarithm: 0 at best",
        Recommendation(
            "Use cross_entropy on the raw outputs" + ("." if scores else f", without the {entering.operation}."),
            "It is log_softmax and nll_loss in one numerically safe step.",
            "train_loss starts near the logarithm of the number of classes and never falls below 0.",
            recipe="logits-loss",
        ),
        Severity.CRITICAL if scores else Severity.WARNING,
        Confidence.CERTAIN if entering.certain else Confidence.LIKELY,
    )


def _of_divergence(run: RunView) -> MissingLogarithm | None:
    operation = divergence_input(run)
    scores = operation == "linear" and _distributions(run)
    if operation not in _SQUASHING and not scores:
        return None
    what = "scores of a linear layer" if scores else f"{operation} outputs"
    return MissingLogarithm(
        f"kl_div gets {what}, not logarithms of probabilities: it is not least where both distributions agree;"
        f" train_loss stands at {_now(run)}.",
        "a divergence: 0 at best, and never below",
        Recommendation(
            "Give kl_div log_softmax of the scores as its first argument.",
            "kl_div(x, t) is the sum of t (log t - x): its x are logarithms of probabilities.",
            "train_loss is never below 0, and falls towards 0 where the model comes near the targets.",
            "The second argument stays a probability, unless log_target=True is given.",
            "check-the-loss",
        ),
        Severity.WARNING,
        Confidence.LIKELY if scores else Confidence.CERTAIN,
    )


def _of_alignment(run: RunView) -> MissingLogarithm | None:
    """Return the finding for a connectionist temporal classification that was below 0: probabilities sum to 1."""
    losses = run.series("train_loss").finite()
    factor = run.facts.get("loss_factor")
    turned = isinstance(factor, int | float) and factor < 0
    if run.facts.get("loss_function") != "ctc" or run.facts.get("loss_composed") or turned or not len(losses):
        return None
    lowest = float(losses.values.min())
    if not lowest < -_ROUNDING:
        return None
    return MissingLogarithm(
        f"ctc_loss has been at {number(lowest)}, below 0, where no likelihood of probabilities can be: it gets no"
        " logarithms of probabilities.",
        "a negative logarithm of a probability: 0 at best",
        Recommendation(
            "Give ctc_loss log_softmax of the scores over the classes: scores.log_softmax(2) for [T, N, C].",
            "It adds up the probabilities of all alignments, and takes what it gets for their logarithms.",
            "train_loss is never below 0, and falls until the blanks give way to labels.",
            recipe="check-the-loss",
        ),
        Severity.CRITICAL,
        Confidence.CERTAIN,
    )


_ROUNDING = 1e-3  # nats: of a likelihood of nearly 1


def _distributions(run: RunView) -> bool:
    """Tell whether the targets are probabilities of exclusive classes."""
    shape = shape_of(run, "target_shape")
    if shape is None or len(shape) != 2 or shape[1] < 2 or not usual(run, "target_minimum") >= 0:
        return False
    return abs(usual(run, "target_mean") * shape[1] - 1) < 0.01


def _now(run: RunView) -> str:
    return number(recent_level(run.series("train_loss").values))
