"""Some twenty examples, and how well a training has learnt them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from trainhealth.checkups.batches import mapped, size_of, split
from trainhealth.checkups.faults.unlearnable_sample import UnlearnableSample
from trainhealth.checkups.short_training import rate_shares, set_rate
from trainhealth.checkups.subject import Pass, Subject, Trial
from trainhealth.errors import UsageError
from trainhealth.hooks.loss import describe
from trainhealth.hooks.targets import accuracy
from trainhealth.hooks.tensors import tensors_in

_ENOUGH = UnlearnableSample.Options()  # when a sample counts as learnt


@dataclass(frozen=True, slots=True)
class Fit:
    """How well a sample is learnt after so many steps at a rate."""

    rate: float
    steps: int
    loss: float
    score: float | None  # accuracy, or share of the variance explained; None where there is neither
    fitted: bool
    losses: tuple[float, ...]  # of every step


def sample_of(subject: Subject, count: int) -> Any:
    """Return `count` examples of the first batch; the whole batch, where it can't be cut."""
    batch = subject.batches[0]
    size = size_of(batch)
    if size is None or size <= count:
        return batch
    cut = mapped(batch, lambda tensor: tensor[:count] if tensor.dim() and len(tensor) == size else tensor)
    try:
        with torch.no_grad():
            subject.fresh().loss(cut)
    except Exception:  # noqa: BLE001  # sequences along the first axis, graphs: only the whole batch makes sense
        return batch
    return cut


def attainable(subject: Subject, sample: Any) -> float:
    """Return the share of examples that any function of the inputs can get right: less than 1 if equal ones differ."""
    try:
        arguments, named, target = split(sample)
    except UsageError:
        return 1.0
    inputs = [tensor for tensor in tensors_in((arguments, named)) if tensor.dim()]
    if not isinstance(target, Tensor) or target.dim() != 1 or target.is_floating_point() or not inputs:
        return 1.0
    groups: dict[bytes, Counter[int]] = {}
    for index, label in enumerate(target.tolist()):
        rows = (tensor[index] for tensor in inputs if len(tensor) == len(target))
        key = b"".join(row.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() for row in rows)
        groups.setdefault(key, Counter())[label] += 1
    return sum(counts.most_common(1)[0][1] for counts in groups.values()) / len(target)


def learn(subject: Subject, sample: Any, rate: float, steps: int, best: float, trial: Trial | None = None) -> Fit:
    """Train a copy on the sample alone, without regularisation, until it is learnt, or steps or time are over.

    `best` is the attainable share of right answers; `trial` a copy with another optimizer than the user's.
    """
    trial = trial or subject.fresh()
    _without_regularisation(trial.model, trial.optimizer)
    function = describe(trial.observe(sample).loss).get("loss_function")
    set_rate(trial.optimizer, rate, rate_shares(trial.optimizer))
    losses: list[float] = []
    for step in range(steps):
        seen = trial.step(sample)
        losses.append(float(seen.loss.detach()))
        if not math.isfinite(losses[-1]):
            return Fit(rate, step + 1, math.inf, None, False, tuple(losses))
        score, enough = _score(seen, _target_of(sample), function, best)
        if _is_fitted(losses, score, enough):
            return Fit(rate, step, losses[-1], score, True, tuple(losses))
        if subject.time_left() < 0:
            break
    return Fit(rate, len(losses), losses[-1], score, False, tuple(losses))


def _is_fitted(losses: Sequence[float], score: float | None, enough: float) -> bool:
    if score is not None:
        return score >= enough
    return losses[-1] <= _ENOUGH.loss * abs(losses[0])


def _target_of(sample: Any) -> Tensor | None:
    try:
        target = split(sample)[2]
    except UsageError:
        return None
    return target if isinstance(target, Tensor) else None


def _score(seen: Pass, given: Tensor | None, function: str | None, best: float) -> tuple[float | None, float]:
    """Return how well the sample is learnt, and how well it has to be.

    `given` is the target in the batch, for losses that torch does not compute.
    """
    prediction, target = seen.prediction, given if seen.compared is None else seen.compared
    if prediction is None or target is None:
        return None, 0.0
    prediction, target = prediction.detach(), target.detach()
    right = accuracy(prediction, target, function)
    classes = prediction.shape[-1] if prediction.dim() else 1
    if right is None and not target.is_floating_point() and target.numel() * classes == prediction.numel():
        right = accuracy(prediction.reshape(-1, classes), target.reshape(-1), None)
    if right is not None:
        sequences = prediction.dim() > 2
        return float(right), _ENOUGH.sequences if sequences else best
    if target.is_floating_point() and target.shape == prediction.shape and target.dim():
        spread = float((target - target.mean(0)).square().sum())
        rest = float((target - prediction).square().sum())
        return (1 - rest / spread, _ENOUGH.variance) if spread > 0 else (None, 0.0)
    return None, 0.0


def _without_regularisation(model: nn.Module, optimizer: Optimizer) -> None:
    for group in optimizer.param_groups:
        if "weight_decay" in group:
            group["weight_decay"] = 0.0
    for module in model.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):  # the base of all dropout of torch
            module.p = 0.0
        elif isinstance(module, nn.MultiheadAttention | nn.RNNBase):
            module.dropout = 0.0
