"""What the model has learnt for other data: too much, too little, or nobody can tell."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from sklearn.datasets import load_digits
from torch import Tensor, nn

import trainhealth
from programs import DISK, Pair

TRAINING = 1200  # examples of the 1,797; the others validate


@dataclass(frozen=True)
class Program:
    """A net with one hidden layer that learns scikit-learn's digits; the defaults train well."""

    examples: int = TRAINING  # of the training split
    validated: int = 597  # examples of the validation split
    hidden: int = 64
    dropout: float = 0.0
    learning_rate: float = 0.05
    momentum: float = 0.9
    weight_decay: float = 0.0
    batch_size: int = 64
    epochs: int = 16
    shuffled: bool = False  # the training labels are in another order than the images
    wrong_labels: float = 0.0  # share of the labels, in both splits, that name a random class
    noise: float = 0.0  # standard deviation of what is added to the inputs, which themselves have 1
    divided_by_examples: bool = False  # the sum of the batches' mean losses, instead of by the number of batches
    summed: bool = False  # the evaluation adds the losses of all examples up
    accuracy_alone: bool = False  # of validation; neither its loss nor any training accuracy
    target_error: float | None = None
    seed: int = 0


def load(program: Program) -> tuple[Tensor, Tensor]:
    """Return standardised images [1797, 64], in random order, and their labels."""
    random = torch.Generator().manual_seed(0)
    table, answers = load_digits(return_X_y=True)
    order = torch.randperm(len(answers), generator=random)
    inputs, labels = torch.as_tensor(table, dtype=torch.float32)[order], torch.as_tensor(answers)[order]
    inputs = (inputs - inputs.mean(0)) / (inputs.std(0) + 1e-6)
    inputs = inputs + program.noise * torch.randn(inputs.shape, generator=random)
    wrong = torch.rand(len(labels), generator=random) < program.wrong_labels
    labels = torch.where(wrong, torch.randint(10, labels.shape, generator=random), labels)
    if program.shuffled:
        labels[:TRAINING] = labels[:TRAINING][torch.randperm(TRAINING, generator=random)]
    return inputs, labels


def evaluate(net: nn.Module, inputs: Tensor, labels: Tensor, program: Program) -> tuple[float, float]:
    """Return loss and accuracy over the validation split, batch by batch."""
    net.eval()
    batches = list(zip(torch.split(inputs, 64), torch.split(labels, 64), strict=True))
    with torch.no_grad():
        outputs = [net(batch) for batch, _ in batches]
    net.train()
    if program.summed:
        return float(F.cross_entropy(torch.cat(outputs), labels, reduction="sum")), _share_right(outputs, labels)
    losses = [float(F.cross_entropy(output, targets)) for output, (_, targets) in zip(outputs, batches, strict=True)]
    return sum(losses) / (len(labels) if program.divided_by_examples else len(losses)), _share_right(outputs, labels)


def _share_right(outputs: list[Tensor], labels: Tensor) -> float:
    return float((torch.cat(outputs).argmax(1) == labels).float().mean())


def train(program: Program, folder: Path) -> None:
    """Train the program and log into `folder`."""
    torch.manual_seed(program.seed)
    torch.set_num_threads(1)
    inputs, labels = load(program)
    training = inputs[: program.examples], labels[: program.examples]
    held = inputs[TRAINING : TRAINING + program.validated], labels[TRAINING : TRAINING + program.validated]
    net = nn.Sequential(
        nn.Linear(64, program.hidden), nn.ReLU(), nn.Dropout(program.dropout), nn.Linear(program.hidden, 10)
    )
    optimizer = torch.optim.SGD(
        net.parameters(), lr=program.learning_rate, momentum=program.momentum, weight_decay=program.weight_decay
    )
    settings = {} if program.target_error is None else {"target_error": program.target_error}
    with trainhealth.watch(net, optimizer, run_dir=folder, disk=DISK, hyperparameters=settings) as watch:
        for _ in range(program.epochs):
            for chosen in torch.split(torch.randperm(program.examples), program.batch_size):
                outputs = net(training[0][chosen])
                loss = F.cross_entropy(outputs, training[1][chosen])
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
                optimizer.step()
                known = {} if program.accuracy_alone else {"outputs": outputs, "targets": training[1][chosen]}
                watch.step(loss, **known)
            validation_loss, accuracy = evaluate(net, *held, program)
            if program.accuracy_alone:
                watch.epoch(validation_accuracy=accuracy)
            else:
                watch.epoch(validation_loss=validation_loss, validation_accuracy=accuracy)


def pair(rule: str, what: str, sick: Program, healthy: Program) -> Pair:
    """Return both programs as a pair."""
    return Pair(rule, what, partial(train, sick), partial(train, healthy))


PAIRS = (
    pair(
        "still-improving",
        "twelve epochs at a low rate, and the accuracy still rises by the epoch",
        Program(learning_rate=0.002, momentum=0.0, epochs=12),
        Program(),
    ),
    pair(
        "past-best-epoch",
        "45 epochs on labels of which a third is wrong: the accuracy, which is all that is logged, is best at epoch 5",
        Program(wrong_labels=0.3, hidden=256, batch_size=128, epochs=45, accuracy_alone=True),
        Program(hidden=256, batch_size=128, accuracy_alone=True),
    ),
    pair(
        "high-bias-and-variance",
        "fully connected layers on images under so much noise that little of what is learnt holds for others",
        Program(noise=3.0, hidden=8, batch_size=128, epochs=40, target_error=0.02),
        Program(target_error=0.02),
    ),
    pair(
        "validation-better-than-training",
        "the sum of the validation batches' mean losses is divided by the number of examples",
        Program(divided_by_examples=True),
        Program(),
    ),
    pair(
        "incomparable-validation",
        "the evaluation adds the losses of all examples up, where training takes their mean",
        Program(summed=True, epochs=8),
        Program(epochs=8),
    ),
    pair(
        "noisy-validation",
        "thirty images validate a classifier that can be right for three of four only",
        Program(wrong_labels=0.3, weight_decay=0.02, validated=30),
        Program(wrong_labels=0.3, weight_decay=0.02),
    ),
    pair(
        "memorised-noise",
        "the labels are shuffled, and no longer belong to their images",
        Program(shuffled=True, examples=600, hidden=512, learning_rate=0.1, epochs=40),
        Program(examples=600, hidden=512, learning_rate=0.1),
    ),
    pair(
        "underfitting",
        "one hidden unit for ten classes",
        Program(hidden=1, learning_rate=0.1, batch_size=128, epochs=64, seed=1),
        Program(learning_rate=0.1, batch_size=128, epochs=32, seed=1),
    ),
    pair(
        "strong-dropout",
        "nineteen of twenty units are dropped, of a layer that has only sixteen",
        Program(hidden=16, dropout=0.95, epochs=20),
        Program(hidden=16),
    ),
)
