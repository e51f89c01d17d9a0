"""MO06 broadcast-loss: prediction and target of different shapes, so that every one is compared with every other."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest

from trainhealth.findings import Change, Confidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number
from trainhealth.rules.breakdown import recent_level
from trainhealth.rules.chance import unknown_loss
from trainhealth.rules.loss_input import SQUARED_AND_ABSOLUTE, loss_seen, shape_of
from trainhealth.series import RunView

Shape = tuple[int, ...]
_ONE_ANSWER = "what one answer to everything gives"


class BroadcastLoss(Rule):
    """Prediction and target have different shapes: the loss compares every prediction with every target.

    What it detects
        An expansion in the graph between the prediction and a squared or absolute error ("loss_expanded"), and shapes
        of prediction and target, such as [N, 1] and [N], that together make a larger one, [N, N].

    Why it matters
        The loss is then the mean over all N x N pairs. Its minimum is to predict the targets' mean for everything: the
        model learns that, the loss (target unit, squared or not) stops at the targets' spread, and no error is raised.

    How it decides
        The loss is mse, l1, smooth_l1 or huber; the graph says that the prediction was expanded; and the shapes of the
        first batch broadcast to one with more elements than either has. Certain where both shapes are known. Likely
        where a shape is not; silent where shapes are known and agree. Likely, too, where a formula written out by hand
        ends in a mean or sum over [N, N] elements made from N predictions ("loss_pairs").

    What to try
        Bring both to one shape: prediction.squeeze(-1), or target.unsqueeze(-1).

    When it is wrong
        A prediction that is expanded on purpose (one vector for all time steps) makes no shape larger than the
        target's: silent. A formula written out by hand shows no loss function: there only the one mistake is seen that
        makes [N, N] of predictions [N, 1] and of something that is not learned, and only from the loss as a tensor.
    """

    code = "MO06"
    name = "broadcast-loss"
    topic = "mode"
    severity = Severity.CRITICAL
    confidence = Confidence.CERTAIN
    since = "0.1"
    requires = ("train_loss",)
    references = (
        Reference(
            "PyTorch documentation: torch.nn.MSELoss; broadcasting semantics",
            "Input and target have the same shape; sizes of 1 and missing ones are expanded otherwise.",
            "https://docs.pytorch.org/docs/stable/notes/broadcasting.html",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """No thresholds: shapes agree or they don't."""

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if prediction and target were broadcast against each other."""
        function, expanded = run.facts.get("loss_function"), run.facts.get("loss_expanded")
        if function in SQUARED_AND_ABSOLUTE and not isinstance(expanded, bool):
            return NotChecked("whether prediction and target had one shape is not known: pass the loss as a tensor")
        if not isinstance(function, str) or not function:
            alone = shape_of(run, "loss_pairs")
            return [self._of_formula(run, alone)] if alone else NotChecked(unknown_loss(run))
        if function not in SQUARED_AND_ABSOLUTE or not expanded:
            return []
        target = shape_of(run, "target_shape")
        predictions = [shape for name in ("loss_input_shape", "output_shape") if (shape := shape_of(run, name))]
        pairs = [(shape, target) for shape in predictions if target and _outgrown(shape, target)]
        if target and predictions and not pairs:
            return []
        return [self._describe(run, function, *pairs[0]) if pairs else self._describe(run, function, None, target)]

    def _of_formula(self, run: RunView, prediction: Shape) -> Finding:
        """Describe a loss written out by hand, in which N predictions have met N targets in N x N elements."""
        now, pairs = recent_level(run.series("train_loss").values), prediction[0] ** 2
        return self.finding(
            f"Predictions of shape {list(prediction)} are broadcast in the loss: it is taken over all {pairs} pairs of"
            f" prediction and target; train_loss stands at {number(now)}.",
            [loss_seen(run, f"able to fall below {_ONE_ANSWER}")],
            [_to_one_shape(None, _ONE_ANSWER)],
            confidence=Confidence.LIKELY,
        )

    def _describe(self, run: RunView, function: str, prediction: Shape | None, target: Shape | None) -> Finding:
        now = recent_level(run.series("train_loss").values)
        shapes = f" of shape {list(prediction)} and targets of shape {list(target)}" if prediction and target else ""
        together = _broadcast(prediction, target) if prediction and target else None
        pairs = f" all {math.prod(together)} pairs" if together else " every prediction and every target"
        return self.finding(
            f"Predictions{shapes} are broadcast in {function}: it is the mean over{pairs}; train_loss stands at"
            f" {number(now)}.",
            [loss_seen(run, "able to fall below the variance of the targets")],
            [_to_one_shape(target, "the variance of the targets")],
            confidence=Confidence.CERTAIN if prediction else Confidence.LIKELY,
        )


def _to_one_shape(target: Shape | None, floor: str) -> Recommendation:
    return Recommendation(
        f"Give both the shape {list(target)}: outputs.reshape(targets.shape), or outputs.squeeze(-1)."
        if target
        else "Give predictions and targets one shape: outputs.squeeze(-1), or targets.unsqueeze(-1).",
        "Each prediction is then compared with its own target only.",
        f"train_loss falls below {floor}; predictions differ from example to example.",
        "With one example in a batch, squeeze() without an axis takes the batch axis away as well.",
        "match-shapes",
        Change("shape of the outputs", "another one", "that of the targets"),
    )


def _broadcast(one: Shape, other: Shape) -> Shape | None:
    """Return the shape to which two broadcast; None where they don't."""
    sizes = list(zip_longest(reversed(one), reversed(other), fillvalue=1))
    if any(a != b and 1 not in (a, b) for a, b in sizes):
        return None
    return tuple(max(pair) if 0 not in pair else 0 for pair in reversed(sizes))


def _outgrown(one: Shape, other: Shape) -> bool:
    """Whether the shape to which both broadcast has more elements than either."""
    together = _broadcast(one, other)
    return together is not None and math.prod(together) > max(math.prod(one), math.prod(other))
