"""The first loss: what a model that knows nothing has, and raised by regularisation as it should be."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from trainhealth.checkups.base import Check, Outcome
from trainhealth.checkups.batches import mapped
from trainhealth.checkups.faults.heavy_regularization import HeavyRegularization
from trainhealth.checkups.faults.rewarding_penalty import RewardingPenalty
from trainhealth.checkups.subject import Subject, Trial
from trainhealth.findings import Evidence, Finding, Recommendation
from trainhealth.rules.base import number
from trainhealth.rules.chance import Chance, chance_level

DROPOUTS = (nn.modules.dropout._DropoutNd,)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What the first loss and its gradient are made of."""

    loss: float
    without_dropout: float
    data_norm: float  # L2 norm of the data part's gradient over all parameters
    penalty_norm: float  # of the penalty in the loss
    penalty_cosine: float  # between the penalty's gradient and the parameters that it acts on; NaN without one
    decay_norm: float  # of the L2 term that the optimizer adds to gradients


class InitialLoss(Check):
    """Is the first loss that of guessing, and does regularisation raise it by no more than it should?"""

    name = "initial-loss"
    title = "initial loss"
    order = 10
    share = 2.0  # the watched start, which the checks after it build on, is made here
    rules = ("LS01", "LS07")
    faults = (HeavyRegularization, RewardingPenalty)

    def run(self, subject: Subject) -> Outcome:
        """Take the first loss apart, and ask the rules about it."""
        findings, silent = subject.watched.answers(self.rules)
        parts = _taken_apart(subject)
        advice: dict[str, Any] = {"initial_loss": parts.loss}
        chance = chance_level(subject.watched.view)
        if isinstance(chance, Chance):
            advice["loss_of_guessing"] = chance.untrained * chance.scale
        return Outcome((*findings, *_heavy(parts), *_rewarding(parts)), silent, advice=advice)


def _taken_apart(subject: Subject) -> _Parts:
    batch = subject.batches[0]
    trial = subject.fresh()
    parameters = [p for p in trial.model.parameters() if p.requires_grad]
    whole_loss = trial.loss(batch)
    whole = _gradients(whole_loss, parameters)
    penalty = _penalty_gradients(subject, batch, parameters_of=trial)
    data = [a - b for a, b in zip(whole, penalty, strict=True)]
    decay = _decay_norm(trial.optimizer) if subject.optimizer is not None else 0.0
    return _Parts(
        float(whole_loss.detach()),
        _loss_without_dropout(subject, batch),
        _norm(data),
        _norm(penalty),
        _cosine(penalty, parameters),
        decay,
    )


def _gradients(loss: Tensor, parameters: Iterable[Tensor]) -> list[Tensor]:
    """Return the gradient of every parameter, zeros where there is none."""
    wanted = list(parameters)
    if not loss.requires_grad:
        return [torch.zeros_like(p) for p in wanted]
    found = torch.autograd.grad(loss, wanted, allow_unused=True)
    pairs = zip(found, wanted, strict=True)
    return [torch.zeros_like(p) if g is None else g.to_dense() if g.is_sparse else g for g, p in pairs]


def _penalty_gradients(subject: Subject, batch: Any, parameters_of: Trial) -> list[Tensor]:
    """Return the gradient that reaches the parameters past the model's outputs: what the loss adds of its own."""
    if subject.loss_fn is None and subject.forward is None:
        return [torch.zeros_like(p) for p in parameters_of.model.parameters() if p.requires_grad]  # it is all outputs
    trial = subject.fresh()
    handle = trial.model.register_forward_hook(lambda module, arguments, output: _cut(output))
    try:
        loss = trial.loss(batch)
    finally:
        handle.remove()
    return _gradients(loss, [p for p in trial.model.parameters() if p.requires_grad])


def _cut(output: Any) -> Any:
    """Return what a model returns without its graph: tensors, containers, and objects that hold them as attributes."""
    if isinstance(output, Tensor | Mapping | tuple | list) or not hasattr(output, "__dict__"):
        return mapped(output, Tensor.detach)
    twin = copy.copy(output)
    vars(twin).update({name: mapped(value, Tensor.detach) for name, value in vars(output).items()})
    return twin


def _loss_without_dropout(subject: Subject, batch: Any) -> float:
    trial = subject.fresh()
    for module in trial.model.modules():
        if isinstance(module, DROPOUTS):
            module.eval()
    with torch.no_grad():
        return float(trial.loss(batch))


def _decay_norm(optimizer: Optimizer) -> float:
    """Return the norm of what the optimizer adds to the gradients: weight decay times the weights."""
    if isinstance(optimizer, AdamW):
        return 0.0
    terms = [
        float(group.get("weight_decay") or 0.0) * p.detach()
        for group in optimizer.param_groups
        if not group.get("decoupled_weight_decay")
        for p in group["params"]
    ]
    return _norm(terms)


def _norm(tensors: Iterable[Tensor]) -> float:
    return math.sqrt(sum(float(t.detach().double().square().sum()) for t in tensors))


def _cosine(penalty: Sequence[Tensor], parameters: Sequence[Tensor]) -> float:
    acted = [(g.detach().double(), p.detach().double()) for g, p in zip(penalty, parameters, strict=True) if g.any()]
    product = sum(float((g * p).sum()) for g, p in acted)
    size = _norm(g for g, _ in acted) * _norm(p for _, p in acted)
    return product / size if size > 0 else math.nan


def _heavy(parts: _Parts) -> Iterator[Finding]:
    fault, options = HeavyRegularization(), HeavyRegularization.Options()
    pull = parts.penalty_norm + parts.decay_norm
    if parts.penalty_cosine > 0 or parts.decay_norm > 0:
        ratio = pull / parts.data_norm if parts.data_norm > 0 else math.nan
        if ratio >= options.ratio and math.isfinite(ratio):
            yield fault.finding(
                f"On the first batch the penalty on the weights has a gradient of {number(pull)}, {number(ratio)} times"
                f" the {number(parts.data_norm)} of the data.",
                [Evidence("gradient of the penalty", None, 0, 0, pull, f"below {number(parts.data_norm)}")],
                [
                    Recommendation(
                        f"Divide the penalty's coefficient by {number(float(f'{10 * ratio:.1g}'))}.",
                        "The first updates go where the weights get small, not where the examples are explained.",
                        "The gradient of the penalty is a tenth of that of the data.",
                        recipe="weight-decay",
                    )
                ],
            )
    lift = parts.loss - parts.without_dropout
    if lift > options.lift * abs(parts.without_dropout) > 0:
        yield fault.finding(
            f"Dropout lifts the first loss from {number(parts.without_dropout)} to {number(parts.loss)}.",
            [Evidence("train_loss", None, 0, 0, parts.loss, f"about {number(parts.without_dropout)}")],
            [
                Recommendation(
                    "Halve the dropout rates.",
                    "What is dropped is scaled up in what stays: at high rates, layer after layer, noise drowns the"
                    " signal.",
                    f"The first loss is about {number(parts.without_dropout)}.",
                    "Less dropout regularises less: look at the gap between training and validation.",
                    "dropout",
                )
            ],
            place="dropout",
        )


def _rewarding(parts: _Parts) -> Iterator[Finding]:
    if not parts.penalty_cosine <= RewardingPenalty.Options().cosine:
        return
    yield RewardingPenalty().finding(
        "What the loss adds to the data's part falls when the weights grow: the cosine between its gradient and the"
        f" weights is {number(parts.penalty_cosine)}.",
        [Evidence("cosine of penalty and weights", None, 0, 0, parts.penalty_cosine, "above 0")],
        [
            Recommendation(
                "Turn the sign of the penalty: loss = data loss + coefficient x penalty, with a positive coefficient.",
                "Training lowers the loss, and now that makes the weights larger without end.",
                "The first loss is higher with the penalty than without it.",
                recipe="weight-decay",
            )
        ],
    )
