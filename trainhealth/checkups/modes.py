"""Modes and the loss: training against evaluation mode, what enters the loss, two runs from one seed."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import nn

from trainhealth.checkups.asking import Asked, Drops, changed
from trainhealth.checkups.base import Check, Outcome, not_checked
from trainhealth.checkups.faults.mode_gap import ModeGap
from trainhealth.checkups.faults.nondeterministic_training import NondeterministicTraining
from trainhealth.checkups.faults.random_evaluation import RandomEvaluation
from trainhealth.checkups.initial_loss import DROPOUTS
from trainhealth.checkups.subject import Subject
from trainhealth.figures import Figure
from trainhealth.findings import Evidence, Finding, NotChecked, Recommendation
from trainhealth.rules.base import number
from trainhealth.rules.chance import Chance, chance_level

_OF_MODES = ("MO02", "MO03", "MO05", "MO14")  # rules that have nothing to say of a model without dropout, batch norm
_SETTLING = 40  # forwards after which a running statistic with the usual momentum of 0.1 has forgotten older weights


class Modes(Check):
    """Do training and evaluation mode agree, and does the loss get what it expects?"""

    name = "modes"
    title = "modes and loss"
    order = 70
    share = 1.0
    rules = ("MO02", "MO03", "MO04", "MO05", "MO06", "MO07", "MO08", "MO11", "MO12", "MO13", "MO14")
    faults = (ModeGap, NondeterministicTraining, RandomEvaluation)

    def run(self, subject: Subject) -> Outcome:
        """Ask the rules, and compare the modes and two runs."""
        kinds = (nn.modules.batchnorm._BatchNorm, *DROPOUTS)
        modal = any(isinstance(module, kinds) for module in subject.model.modules())
        rules = self.rules if modal else [rule for rule in self.rules if rule not in _OF_MODES]
        findings, silent = subject.watched.answers(rules)
        found: list[Finding] = [*findings, *_nondeterministic(subject)]
        left_out: list[NotChecked] = list(silent)
        figures: tuple[Figure, ...] = ()
        losses = _in_both_modes(subject)
        if isinstance(losses, str):
            left_out.append(not_checked(ModeGap, losses))
        else:
            found += _gap(losses, subject)
            figures = (_picture(losses),) if losses.differ else ()
        random = _random(subject)
        if isinstance(random, NotChecked):
            left_out.append(random)
        else:
            found += random
        return Outcome(tuple(found), tuple(left_out), figures)


class _Losses(NamedTuple):
    """The loss of each of some batches, in training mode without dropout, and in evaluation mode."""

    training: list[float]
    evaluation: list[float]

    @property
    def differ(self) -> bool:
        return self.training != self.evaluation

    @property
    def gap(self) -> tuple[float, float]:
        """The mean difference and its standard error."""
        differences = [e - t for t, e in zip(self.training, self.evaluation, strict=True)]
        mean = sum(differences) / len(differences)
        variance = sum((d - mean) ** 2 for d in differences) / max(len(differences) - 1, 1)
        return mean, math.sqrt(variance / len(differences))


def _in_both_modes(subject: Subject) -> _Losses | str:
    """Return the losses, or why there are none."""
    trial = copy.deepcopy(subject.watched.trial)
    batches = subject.batches[: ModeGap.Options().batches]
    with torch.no_grad():
        _without_dropout(trial.model)
        for batch in subject.batches.cycle(_SETTLING):
            trial.loss(batch)
            if subject.time_left() < 0:
                return "there was no time left for the running statistics to settle"
        training = [float(trial.loss(batch)) for batch in batches]
        trial.model.eval()
        evaluation = [float(trial.loss(batch)) for batch in batches]
    if not all(map(math.isfinite, (*training, *evaluation))):
        return "the loss is not finite"
    return _Losses(training, evaluation)


def _without_dropout(model: nn.Module) -> None:
    model.train()
    for module in model.modules():
        if isinstance(module, DROPOUTS):
            module.eval()


def _gap(losses: _Losses, subject: Subject) -> Iterator[Finding]:
    options = ModeGap.Options()
    mean, error = losses.gap
    count = len(losses.training)
    before, after = sum(losses.training) / count, sum(losses.evaluation) / count
    chance = chance_level(subject.watched.view)
    room = options.room * chance.untrained * chance.scale if isinstance(chance, Chance) else 0.0
    if count < 2 or before <= 0 or after < options.factor * before or mean < max(options.errors * error, room):
        return
    yield ModeGap().finding(
        f"The same {count} batches have a loss of {number(before)} in training mode (without dropout) and"
        f" {number(after)} in evaluation mode.",
        [Evidence("loss in evaluation mode", None, 0, 0, after, f"about {number(before)}")],
        [
            Recommendation(
                "Use larger batches, or group normalisation in the place of batch norm; look for batch-norm layers that"
                " serve two kinds of data, and for a momentum far below 0.1.",
                "The running statistics that evaluation uses are not those that training normalises with.",
                f"In evaluation mode the loss of the same batches is about {number(before)}.",
                recipe="group-normalization",
            ),
            Recommendation(
                "Look for what asks for self.training in modules of your own.",
                "In evaluation mode another branch is taken than the one that was trained.",
                f"In evaluation mode the loss of the same batches is about {number(before)}.",
                recipe="train-and-eval-mode",
            ),
        ],
    )


def _picture(losses: _Losses) -> Figure:
    count = len(losses.training)
    means = (sum(losses.training) / count, sum(losses.evaluation) / count)
    title = f"loss of the same {count} batches after some training"
    return Figure(title, "bars", {"loss": means}, labels=("training mode, no dropout", "evaluation mode"))


def _nondeterministic(subject: Subject) -> Iterator[Finding]:
    first, second = _losses(subject), _losses(subject)
    place = next((step for step, (a, b) in enumerate(zip(first, second, strict=True)) if repr(a) != repr(b)), None)
    if place is None:
        return
    yield NondeterministicTraining().finding(
        f"Two trainings from the same weights, batches and random states have a loss of {first[place]:.9g} and"
        f" {second[place]:.9g} at step {place}.",
        [Evidence("difference of the losses", None, place, place, second[place] - first[place], "0")],
        [
            Recommendation(
                "Call torch.use_deterministic_algorithms(True): it names the operation; give generators of your own a"
                " fixed seed.",
                "A result that can't be repeated can't be compared.",
                "Two runs from one seed have the same losses to the last digit.",
                "Deterministic algorithms may be slower.",
            )
        ],
    )


def _losses(subject: Subject) -> list[Any]:
    trial, steps = subject.fresh(), NondeterministicTraining.Options().steps
    return [float(trial.step(batch).loss.detach()) for batch in subject.batches.cycle(steps)]


def _random(subject: Subject) -> list[Finding] | NotChecked:
    asked = Asked(subject)
    if asked.answer is None or not bool(torch.isfinite(asked.answer).all()):
        return not_checked(RandomEvaluation, "the model returns no finite tensor of real numbers")
    with Drops() as drops:
        again = asked.ask(lambda tensor: tensor, at_random=True)
    if again is None or again.shape != asked.answer.shape:
        return not_checked(RandomEvaluation, "the shape of the outputs changes from call to call")
    change = changed(asked.answer, again)
    if change <= RandomEvaluation.Options().change or not drops.seen:
        return []
    return [
        RandomEvaluation().finding(
            f"In evaluation mode the outputs of one batch differ by up to {number(change)} standard deviations from one"
            " call to the next.",
            [Evidence("change of the outputs between two calls", None, 0, 0, change, "0")],
            [
                Recommendation(
                    "Use nn.Dropout in the place of F.dropout, or F.dropout(x, p, training=self.training).",
                    "F.dropout drops in evaluation mode, too, unless it is told not to.",
                    "After model.eval() two calls with the same batch return the same.",
                    recipe="train-and-eval-mode",
                )
            ],
        )
    ]
