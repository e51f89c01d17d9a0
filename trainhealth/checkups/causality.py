"""Causality: a model that predicts the next element must not see it."""

from __future__ import annotations

from torch import Tensor

from trainhealth.checkups.asking import Asked, changed
from trainhealth.checkups.base import Check, Outcome
from trainhealth.checkups.faults.batch_leakage import BatchLeakage
from trainhealth.checkups.sequences import time_axis
from trainhealth.checkups.subject import Subject
from trainhealth.findings import Confidence, Evidence, Finding, NotChecked, Recommendation, Severity
from trainhealth.rules.base import number
from trainhealth.rules.mode.future_leak import FutureLeak

_POSITIONS = 3  # at which the input is exchanged


class Causality(Check):
    """Does a model of sequences look only back?"""

    name = "causality"
    title = "causality"
    order = 45
    share = 0.3
    rules = ("MO10",)

    def run(self, subject: Subject) -> Outcome:
        """Exchange a later element of the input, and look whether earlier outputs change."""
        asked = Asked(subject)
        answer = asked.why_not or _looked_ahead(asked)
        if isinstance(answer, str):
            return Outcome(not_checked=(NotChecked(answer, FutureLeak.code, FutureLeak.name),))
        return Outcome(tuple(answer))


def _looked_ahead(asked: Asked) -> list[Finding] | str:
    """Return the finding, none, or why there is no telling."""
    inputs, answer = asked.tensors[0], asked.answer
    assert answer is not None  # asked.why_not has seen to it
    axis = _axis_of_time(asked, inputs)
    if axis is None:
        return []  # the task is not to predict the next element of a sequence
    length = inputs.shape[axis]
    if answer.dim() < 2 or answer.shape[axis] != length:
        return "the outputs are not one a position"
    largest = 0.0
    for part in range(1, _POSITIONS + 1):
        place = length * part // (_POSITIONS + 1)
        after = asked.ask(lambda tensor, at=place: _later(tensor, inputs, axis, at))  # type: ignore[misc]  # mypy can't infer at
        if after is None or after.shape != answer.shape or place == 0:
            continue
        largest = max(largest, changed(answer.narrow(axis, 0, place), after.narrow(axis, 0, place)))
    if largest <= BatchLeakage.Options().change:
        return []
    return [_describe(largest)]


def _axis_of_time(asked: Asked, inputs: Tensor) -> int | None:
    if asked.target is None:
        return None
    found = time_axis(inputs, asked.target)
    if found is not None:
        return found
    # causal models of transformers take the inputs as labels, and shift them themselves
    shifts = any(part in asked.kind for part in ("CausalLM", "LMHead"))
    return 1 if shifts and asked.target.shape == inputs.shape and not inputs.is_floating_point() else None


def _later(tensor: Tensor, inputs: Tensor, axis: int, place: int) -> Tensor:
    """Return the tokens with those from `place` on taken from the neighbouring sequence; other tensors as they are."""
    if tensor.shape != inputs.shape or tensor.dtype != inputs.dtype:
        return tensor
    result = tensor.clone()
    length = tensor.shape[axis]
    result.narrow(axis, place, length - place).copy_(tensor.roll(1, 1 - axis).narrow(axis, place, length - place))
    return result


def _describe(largest: float) -> Finding:
    return FutureLeak().finding(
        f"Outputs change by up to {number(largest)} standard deviations when later elements of the input are exchanged,"
        " and the target is the next element: the model sees what it has to predict.",
        [Evidence("change of earlier outputs", None, 0, 0, largest, "0")],
        [
            Recommendation(
                "Give attention a causal mask (is_causal=True, or a triangular mask), recurrent layers one direction,"
                " convolutions padding on the left only.",
                "Now the task is to copy, which any model learns at once and which is of no use.",
                "Exchanging later elements changes no earlier output, and the loss falls more slowly.",
                recipe="check-the-loss",
            )
        ],
        severity=Severity.CRITICAL,
        confidence=Confidence.CERTAIN,
    )
