"""Spoils a data set as a program says: its examples, its labels, its inputs, its texts."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from benchmarks.accuracy.data import Data, guessing

if TYPE_CHECKING:
    from benchmarks.accuracy.program import Program

_HUGE = 1000.0  # times what a broken example should be


def spoilt(data: Data, program: Program) -> Data:
    """Return the data as the program meets them."""
    if program.padding:
        data = _padded(data, program)
    random = torch.Generator().manual_seed(program.seed + 1)
    inputs, targets = data.inputs.clone(), data.targets.clone()
    held = data.validation_inputs[: program.validation_examples].clone()
    held_targets = data.validation_targets[: program.validation_examples].clone()
    kept = _kept(data, program, random)
    inputs, targets = inputs[kept], targets[kept]
    inputs, targets = _relabelled(inputs, targets, data, program, random)
    if inputs.is_floating_point():
        inputs = inputs + program.input_noise * torch.randn(inputs.shape, generator=random)
        inputs = inputs * program.input_scale + program.input_shift
        held = (held * program.input_scale + program.input_shift) * program.validation_scale
        if inputs.dim() == 2:
            for features in (inputs, held):
                features[:, 0] *= program.feature_scale
                features[:, : round(program.blank * inputs.shape[1])] = 0.0
        if program.bad_example:
            inputs[len(inputs) // 2] = math.nan
        if program.corrupt:
            inputs[:: max(round(1 / program.corrupt), 1)] *= _HUGE
    if data.task == "regression":
        targets, held_targets = targets * program.target_scale, held_targets * program.target_scale
    if program.leak:
        inputs, held = torch.cat([inputs, targets], 1), torch.cat([held, held_targets], 1)
    if not program.shuffle and data.task == "classification":
        order = targets.argsort()
        inputs, targets = inputs[order], targets[order]
    return replace(data, inputs=inputs, targets=targets, validation_inputs=held, validation_targets=held_targets)


def _kept(data: Data, program: Program, random: torch.Generator) -> Tensor:
    """Return the indices of the training examples that are left."""
    count = len(data.inputs)
    kept = torch.randperm(count, generator=random)[: max(int(count * program.examples), 8)]
    if program.imbalance and data.task == "classification":
        first = data.targets == 0
        drawn = torch.rand(count, generator=random) >= program.imbalance
        kept = kept[(first | drawn)[kept]]
    if program.missing_classes:
        left = data.outputs - max(round(program.missing_classes * data.outputs), 1)
        kept = kept[data.targets[kept] < left]
    return kept


def _relabelled(
    inputs: Tensor, targets: Tensor, data: Data, program: Program, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return training examples whose labels are wrong as the program says."""
    if program.label_noise and not targets.is_floating_point():
        wrong = torch.rand(targets.shape, generator=random) < program.label_noise
        drawn = torch.randint(0, data.outputs, targets.shape, generator=random)
        targets = torch.where(wrong, drawn, targets)
    elif program.label_noise:
        targets = targets + program.label_noise * torch.randn(targets.shape, generator=random)
    if program.overlap:
        again = torch.randperm(len(inputs), generator=random)[: round(program.overlap * len(inputs))]
        inputs = torch.cat([inputs, inputs[again]])
        targets = torch.cat([targets, (targets[again] + 1) % data.outputs])
    return inputs, targets * 0 if program.one_class else targets


def _padded(data: Data, program: Program) -> Data:
    """Return texts that end early; `program.padding` of all places are filled with a class of its own."""
    random = torch.Generator().manual_seed(program.seed + 2)
    length = data.inputs.shape[1]
    ends = torch.rand(len(data.inputs) + len(data.validation_inputs), generator=random)
    ends = (ends * 2 * (1 - program.padding) * length).clamp(1, length)[:, None]
    filled = torch.arange(length)[None] >= ends
    learnt, held = filled[: len(data.inputs)], filled[len(data.inputs) :]
    pad = data.outputs
    targets, held_targets = data.targets.masked_fill(learnt, pad), data.validation_targets.masked_fill(held, pad)
    return replace(
        data,
        inputs=data.inputs.masked_fill(learnt, pad),
        targets=targets,
        validation_inputs=data.validation_inputs.masked_fill(held, pad),
        validation_targets=held_targets,
        outputs=pad + 1,
        chance=guessing(targets, held_targets, pad + 1),
    )
