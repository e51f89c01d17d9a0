"""Scores and labels that don't belong together: reshaped, dropped, filled up, or of classes that nobody has shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from torch import Tensor, nn

import trainhealth
from programs import DISK, Pair
from trainhealth.hooks.script import Script

WORDS, TAGS, LENGTH, BATCH, STEPS = 20, 8, 10, 64, 90


@dataclass(frozen=True)
class Tagger:
    """A net that learns which tag each word has, in sequences of unlike lengths; tag 0 fills them up."""

    reshaped: bool = False  # the scores are viewed as [N, C, T], and not transposed
    filling_counts: bool = False
    full: bool = False  # all sequences are as long as there is room
    steps: int = STEPS


def tag(program: Tagger, folder: Path) -> None:
    """Train the tagger, and log into `folder`."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    tags = torch.randint(1, TAGS, (WORDS,))
    net = nn.Sequential(nn.Embedding(WORDS, 16), nn.Linear(16, TAGS))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.03)
    ignored = -100 if program.filling_counts else 0
    with trainhealth.watch(net, optimizer, run_dir=folder, disk=DISK, probes=()) as watch:
        for _ in range(program.steps):
            words = torch.randint(WORDS, (BATCH, LENGTH))
            lengths = torch.full((BATCH, 1), LENGTH) if program.full else torch.randint(2, LENGTH, (BATCH, 1))
            targets = torch.where(torch.arange(LENGTH) < lengths, tags[words], 0)
            scores = net(words)
            read = scores.reshape(BATCH, TAGS, LENGTH) if program.reshaped else scores.transpose(1, 2)
            loss = F.cross_entropy(read, targets, ignore_index=ignored)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            optimizer.step()
            watch.step(loss, outputs=scores, targets=targets)


def draw(count: int, classes: int = 4) -> tuple[Tensor, Tensor]:
    """Return points around the corners of a simplex, and which corner it is, in order."""
    labels = torch.arange(count) * classes // count
    return F.one_hot(labels, classes).float() + 0.2 * torch.randn(count, classes), labels


def drop(last: bool, folder: Path) -> None:
    """Train a net with a dropout behind its last layer, or before it, and log into `folder`."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    layers = [nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 4)]
    layers.insert(3 if last else 2, nn.Dropout(0.5))
    net = nn.Sequential(*layers)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    with trainhealth.watch(net, optimizer, run_dir=folder, disk=DISK, probes=()) as watch:
        for _ in range(STEPS):
            inputs, targets = draw(BATCH)
            outputs = net(inputs)
            loss = F.cross_entropy(outputs, targets)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # likewise
            optimizer.step()
            watch.step(loss, outputs=outputs, targets=targets)


def split(mixed: bool, folder: Path) -> None:
    """Train on the first four fifths of examples that are sorted, or mixed, as a script that knows of nothing."""

    def begin(models: Mapping[str, nn.Module], optimizers: Mapping[str, torch.optim.Optimizer]) -> trainhealth.Watch:
        return trainhealth.watch(models, optimizers, run_dir=folder, disk=DISK, probes=("class_shares",))

    script = Script(begin)
    try:
        train(mixed)
    finally:
        script.end(None)


def train(mixed: bool) -> None:
    """Train a linear classifier, and evaluate it after each epoch."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    inputs, targets = draw(1000, 5)
    if mixed:
        order = torch.randperm(len(inputs))
        inputs, targets = inputs[order], targets[order]
    net = nn.Linear(5, 5)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    for _ in range(5):
        for chosen in torch.split(torch.randperm(800), BATCH):
            optimizer.zero_grad()
            F.cross_entropy(net(inputs[chosen]), targets[chosen]).backward()  # type: ignore[no-untyped-call]  # likewise
            optimizer.step()
        with torch.no_grad():
            F.cross_entropy(net(inputs[800:]), targets[800:])


PAIRS = (
    Pair(
        "scrambled-classes",
        "the scores [N, T, C] of a tagger are reshaped to [N, C, T], and not transposed",
        partial(tag, Tagger(reshaped=True, full=True, steps=40)),
        partial(tag, Tagger(full=True, steps=40)),
    ),
    Pair(
        "counted-padding",
        "the loss counts the tag that fills short sequences up",
        partial(tag, Tagger(filling_counts=True)),
        partial(tag, Tagger()),
    ),
    Pair(
        "dropout-on-outputs",
        "a dropout stands behind the last layer, and not before it",
        partial(drop, True),
        partial(drop, False),
    ),
    Pair(
        "unseen-classes",
        "sorted examples are split without mixing them: validation has a class of its own",
        partial(split, False),
        partial(split, True),
    ),
)
