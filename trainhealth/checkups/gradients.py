"""Gradients: whether the loss has one, and every parameter gets its share."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainhealth.checkups.base import Check, Outcome, not_checked
from trainhealth.checkups.faults.detached_loss import DetachedLoss
from trainhealth.checkups.faults.unreached_parameters import UnreachedParameters
from trainhealth.checkups.subject import Subject
from trainhealth.findings import Evidence, Finding, NotChecked, Recommendation
from trainhealth.series import RunView

NAMED = 3  # parameters that a message names


class Gradients(Check):
    """Does the loss have a gradient, and every parameter?"""

    name = "gradients"
    title = "gradients"
    order = 35
    share = 0.2
    needs_gradient = False
    rules = ("OP09", "OP13")
    faults = (DetachedLoss, UnreachedParameters)

    def run(self, subject: Subject) -> Outcome:
        """Look at the graph behind the loss, and at the gradients of the watched start."""
        if not subject.differentiable:
            because = "the loss has no gradient"
            silent = tuple(NotChecked(because, code, name) for code, name in _RULES.items())
            return Outcome((_detached(),), (*silent, not_checked(UnreachedParameters, because)))
        findings, silent = subject.watched.answers(self.rules)
        named = {piece.place for finding in findings for piece in finding.evidence}
        return Outcome((*findings, *_unreached(subject.watched.view, named)), silent)


_RULES = {"OP09": "frozen-parameters", "OP13": "missing-step"}


def _detached() -> Finding:
    return DetachedLoss().finding(
        "No backward from the loss reaches a parameter of the model.",
        [Evidence("parameters behind the loss", None, 0, 0, 0.0, "at least 1")],
        [
            Recommendation(
                "Take out what cuts the graph between the outputs and the loss: detach(), .data, .item(), .numpy(),"
                " argmax, rounding, torch.tensor(…) of outputs, no_grad() around the forward.",
                "Without a graph there is no gradient, and nothing can be learnt.",
                "loss.requires_grad is True, and after loss.backward() the parameters have a gradient.",
                recipe="unfreeze-layers",
            )
        ],
    )


def _unreached(view: RunView, named: set[str | None]) -> Iterator[Finding]:
    norms = view.columns("parameter_gradient_norm")
    if len(norms) < UnreachedParameters.Options().steps:
        return
    never = {place for place, column in zip(norms.places, norms.values.T, strict=True) if np.isnan(column).all()}
    known = set(norms.places)
    missing = [
        entry.name
        for entry in view.parameters
        if entry.trainable and (entry.name in never or entry.name not in known) and entry.name not in named
    ]
    if not missing:
        return
    first = ", ".join(missing[:NAMED])
    yield UnreachedParameters().finding(
        f"{len(missing)} of {len(view.parameters)} parameters got no gradient on any of {len(norms)} batches: {first}"
        f"{', …' if len(missing) > NAMED else ''}.",
        [Evidence("parameter_gradient_norm", name, 0, view.last_step, 0.0, "above 0") for name in missing],
        [
            Recommendation(
                f"Use {missing[0].rpartition('.')[0] or missing[0]} in forward, or take it out of the model.",
                "The loss does not depend on these parameters: they stay as they were drawn.",
                "Every trainable parameter has a gradient after backward.",
                recipe="check-parameter-groups",
            )
        ],
    )
