"""Dependence: each output on its own example, and on every input."""

from __future__ import annotations

import torch
from torch import Tensor

from trainhealth.checkups.asking import Asked, changed, exchanged
from trainhealth.checkups.base import Check, Outcome, not_checked
from trainhealth.checkups.faults.batch_leakage import BatchLeakage
from trainhealth.checkups.faults.unused_input import UnusedInput
from trainhealth.checkups.sequences import time_axis
from trainhealth.checkups.subject import Subject
from trainhealth.findings import Evidence, Finding, NotChecked, Recommendation, Severity
from trainhealth.rules.base import number

MOST_INPUTS = 8  # tensors among the model's arguments that are exchanged


class Dependence(Check):
    """Does each output depend on its own example only, and on the input at all?"""

    name = "dependence"
    title = "dependence on the input"
    order = 40
    share = 0.5
    rules = ("AC04",)
    faults = (BatchLeakage, UnusedInput)

    def run(self, subject: Subject) -> Outcome:
        """Exchange examples and inputs, and look which outputs change."""
        findings, silent = subject.watched.answers(self.rules)
        asked = Asked(subject)
        if because := asked.why_not:
            return Outcome(findings, (*silent, *(not_checked(fault, because) for fault in self.faults)))
        found: list[Finding] = list(findings)
        left_out: list[NotChecked] = list(silent)
        for answer in (_leakage(asked), _unused(asked, alone=subject.loss_fn is not None)):
            if isinstance(answer, NotChecked):
                left_out.append(answer)
            else:
                found.extend(answer)
        return Outcome(tuple(found), tuple(left_out))


def _leakage(asked: Asked) -> list[Finding] | NotChecked:
    fault, options = BatchLeakage, BatchLeakage.Options()
    answer, count = asked.answer, len(asked.tensors[0])
    assert answer is not None  # asked.why_not has seen to it
    if len(answer) != count:
        return not_checked(fault, "the outputs are not one row an example")
    if not _examples_first(asked, answer):
        return not_checked(fault, "which axis counts the examples is not known")
    largest, place = 0.0, 0
    for pair in range(min(options.pairs, count - 1)):
        place, other = pair, (pair + count // 2) % count
        after = asked.ask(lambda tensor, i=place, j=other: exchanged(tensor, i, j))  # type: ignore[misc]  # mypy can't infer i, j
        if after is None or after.shape != answer.shape:
            return not_checked(fault, "the shape of the outputs depends on the examples")
        others = [row for row in range(count) if row != place]
        largest = max(largest, changed(answer[others], after[others]))
    if largest <= options.change:
        return []
    if tuple(answer.shape) == (count, count):
        return not_checked(fault, "the outputs are as many as examples, for each of them: they may compare examples")
    return [
        fault().finding(
            f"In evaluation mode the outputs of the other examples change by {number(largest)} standard deviations when"
            f" one example of the batch is exchanged for another: a batch of {count} is not {count} examples to this"
            " model.",
            [Evidence("change of another example's output", None, 0, 0, largest, "0")],
            [
                Recommendation(
                    "Follow the axes through forward: use transpose or permute to move an axis, view and reshape only"
                    " to split or join neighbours, dim=-1 (not 0) in softmax and normalisation, batch_first=True in"
                    " recurrent and attention layers.",
                    "Somewhere the axis that counts the examples is taken for another.",
                    "Exchanging an example changes its own output and no other.",
                    recipe="match-shapes",
                )
            ],
        )
    ]


def _examples_first(asked: Asked, answer: Tensor) -> bool:
    """Tell whether the first axis counts examples: not where it may count time."""
    first = asked.tensors[0]
    if first.is_floating_point() and first.dim() != 3:
        return True  # a table [N, F], or images
    if asked.target is None or asked.target.dim() < 2 or first.dim() < 2:
        return asked.target is None or asked.target.dim() == 0 or len(asked.target) == len(first)
    axis = time_axis(first, asked.target)
    return axis == 1 if axis is not None else asked.target.shape[:2] != first.shape[:2]


def _unused(asked: Asked, *, alone: bool) -> list[Finding]:
    """Return the inputs that change nothing; only the first where the model's arguments hold the target as well."""
    fault, options = UnusedInput(), UnusedInput.Options()
    answer = asked.answer
    assert answer is not None  # asked.why_not has seen to it
    size = float(answer.abs().max())
    found = []
    for place, tensor in enumerate(asked.tensors[: MOST_INPUTS if alone else 1]):
        rolled = tensor.roll(1, 0)
        if torch.equal(rolled, tensor):
            continue  # the same for every example: nothing is to be seen
        number_of = iter(range(len(asked.tensors)))
        after = asked.ask(lambda one, k=place, n=number_of: one.roll(1, 0) if next(n) == k else one)  # type: ignore[misc]
        if after is None or after.shape != answer.shape:
            continue
        if float((after - answer).abs().max()) > options.change * size:
            continue
        found.append(_describe(fault, place, len(asked.tensors)))
    return found


def _describe(fault: UnusedInput, place: int, count: int) -> Finding:
    which = "its input" if count == 1 else f"input {place + 1} of {count}"
    return fault.finding(
        f"The model's outputs stay the same when {which} is exchanged between the examples: it does not look at it.",
        [Evidence("change of the outputs", f"input {place + 1}", 0, 0, 0.0, "above 0")],
        [
            Recommendation(
                f"Follow {which} through forward to where it is lost.",
                "Without it the model can only learn which answer is frequent."
                if place == 0
                else "What the model is not shown it can't learn from.",
                "The outputs change with the input.",
                recipe="check-the-loss",
            )
        ],
        severity=Severity.CRITICAL if place == 0 else Severity.NOTE,
    )
