"""MO13 scrambled-classes: a reshape where a transposition was meant, so that scores belong to other classes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from trainhealth.findings import Confidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number
from trainhealth.rules.breakdown import recent_level
from trainhealth.rules.chance import unknown_loss
from trainhealth.rules.loss_input import loss_seen, shape_of
from trainhealth.series import RunView

Shape = tuple[int, ...]


class ScrambledClasses(Rule):
    """The scores are reshaped where they should be transposed: the loss reads other units as the classes.

    What it detects
        The shape and the axis of units that the last layer gave ("reshaped_from", "reshaped_axis"), and the shape in
        which its scores enter the cross-entropy ("loss_input_shape", classes on axis 1), where nothing but reshaping
        lies between them.

    Why it matters
        view and reshape keep the elements in order and cut them elsewhere. Of [N, T, C] as [N, C, T], what the loss
        takes for the scores of one position are those of several positions for one class: nothing in the model says
        what the loss asks for. No error is raised, and a loss that falls a little looks like a hard task.

    How it decides
        The last layer has as many units as the loss has classes, so that its units are the classes; and the number of
        elements before the axis of classes, or after it, is another one in the loss than in the layer's output. Both
        follow from the shapes of the first batch.

    What to try
        transpose(1, 2) or movedim(-1, 1) instead of view(N, C, T); movedim(1, -1) before reshape(-1, C).

    When it is wrong
        A layer with C x T units that are cut into C and T: its units are not the classes, silent. Flattening
        [N, T, C] to [N x T, C]: nothing changes before or after the classes, silent. Behind a transposition, a slice or
        anything that computes, where the classes are is not known, and it is silent. What is wrong with the order of
        the targets is not seen.
    """

    code = "MO13"
    name = "scrambled-classes"
    topic = "mode"
    severity = Severity.CRITICAL
    confidence = Confidence.CERTAIN
    since = "0.1"
    requires = ("train_loss",)
    references = (
        Reference(
            "PyTorch documentation: torch.nn.CrossEntropyLoss",
            "The input has the shape (C), (N, C) or (N, C, d1, …): classes are on axis 1.",
            "https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html",
        ),
        Reference(
            "PyTorch documentation: torch.Tensor.view, torch.transpose",
            "A view has the same data in the same order; only a transposition swaps dimensions.",
            "https://docs.pytorch.org/docs/stable/tensor_view.html",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """No thresholds: the classes are where the loss looks for them, or they are not."""

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if the axis of classes was cut from other elements."""
        function = run.facts.get("loss_function")
        if not isinstance(function, str) or not function:
            return NotChecked(unknown_loss(run))
        given, read, axis = shape_of(run, "reshaped_from"), shape_of(run, "loss_input_shape"), _axis(run)
        if function not in ("cross_entropy", "nll") or given is None or read is None or len(read) < 2:
            return []
        if axis is None or axis >= len(given) or given[axis] != read[1]:
            return []
        kept = (math.prod(given[:axis]), math.prod(given[axis + 1 :])) == (read[0], math.prod(read[2:]))
        return [] if kept else [self._describe(run, given, axis, read)]

    def _describe(self, run: RunView, given: Shape, axis: int, read: Shape) -> Finding:
        classes = read[1]
        last = axis == len(given) - 1
        place = "the last axis" if last else f"axis {axis}"
        moved = "outputs.movedim(-1, 1)" if last else f"outputs.movedim({axis}, -1).reshape(-1, {classes})"
        now = number(recent_level(run.series("train_loss").values))
        return self.finding(
            f"The last layer gives {list(given)}, with its {classes} classes on {place}; reshaping makes"
            f" {list(read)} of it, and the loss takes axis 1 for the classes: the scores are those of"
            f" other places. train_loss stands at {now}.",
            [loss_seen(run, "lower, with the scores in their places")],
            [
                Recommendation(
                    f"Transpose the outputs of the last layer instead of reshaping them: {moved}.",
                    "view and reshape only cut the same sequence of numbers elsewhere; they swap no axes.",
                    "train_loss falls further than before from the first steps on.",
                    "What the model has learnt so far is of no use.",
                    "transpose-scores",
                )
            ],
        )


def _axis(run: RunView) -> int | None:
    axis = run.facts.get("reshaped_axis")
    return axis if isinstance(axis, int) and not isinstance(axis, bool) and axis >= 0 else None
