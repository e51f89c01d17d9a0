"""Tr1's "babysitting the learning process" on real data, with our diagnosis beside it, into docs/babysitting.md.

    python docs/babysitting.py

It takes about half a minute. A test runs it again and holds the conclusions to the lecture's.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

import trainhealth
from trainhealth.diagnosis import Report

DOCUMENT = Path(__file__).parent / "babysitting.md"
TRAINED = 1500  # of the 1797 images; the rest validates
BATCH, EPOCHS = 50, 10
_MEASURED = re.compile(r"(<!-- measured: begin -->\n).*?(<!-- measured: end -->)", re.DOTALL)


@dataclass(frozen=True)
class Setting:
    """One training of the lecture's, and the rule that says what the lecture says of it (None: the good rate)."""

    rate: float
    momentum: float
    lecture: str
    rule: str | None


SETTINGS = (
    Setting(1e-6, 0.0, "cost 2.302576 to 2.302420, accuracy 0.08 to 0.19: the rate is too low", "OP02"),
    Setting(3e-3, 0.9, "cost 2.19, 2.18, 1.94, 1.83, inf: the rate is too high", "OP01"),
    Setting(1e-4, 0.9, "between 1e-3 and 1e-5 lies what should be cross-validated", None),
)


@dataclass(frozen=True)
class Epoch:
    """The last cost of an epoch, and the accuracy on the validation split after it."""

    cost: float
    accuracy: float


def images() -> tuple[Tensor, Tensor]:
    """Return handwritten digits in CIFAR-10's format: 32x32 pixels of 0 to 255 in three channels, mean subtracted."""
    pixels, labels = load_digits(return_X_y=True)
    small = torch.tensor(pixels * (255 / 16), dtype=torch.float32).view(-1, 1, 8, 8)
    large = small.repeat_interleave(4, 2).repeat_interleave(4, 3).repeat(1, 3, 1, 1).flatten(1)
    return large - large.mean(0), torch.tensor(labels)


def two_layer_model() -> nn.Module:
    """Return the lecture's network, 3072-50-10, with weights of 0.0001 randn and no biases to begin with."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3072, 50), nn.ReLU(), nn.Linear(50, 10))
    for name, parameter in model.named_parameters():
        nn.init.normal_(parameter, 0.0, 1e-4) if name.endswith("weight") else nn.init.zeros_(parameter)
    return model


def sgd(model: nn.Module, setting: Setting) -> torch.optim.Optimizer:
    """Return the lecture's optimizer, with its small regularisation."""
    return torch.optim.SGD(model.parameters(), setting.rate, setting.momentum, weight_decay=1e-6)


def train(setting: Setting) -> tuple[list[Epoch], Report]:
    """Train as the lecture does, watched, and return what came of each epoch and our diagnosis."""
    inputs, labels = images()
    model, loss_fn = two_layer_model(), nn.CrossEntropyLoss()
    optimizer = sgd(model, setting)
    epochs: list[Epoch] = []
    with tempfile.TemporaryDirectory() as folder:
        with trainhealth.watch(model, optimizer, run_dir=Path(folder) / "run") as watch:
            for _ in range(EPOCHS):
                model.train()
                for chosen in torch.split(torch.randperm(TRAINED), BATCH):
                    outputs = model(inputs[chosen])
                    loss = loss_fn(outputs, labels[chosen])
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                    watch.step(loss, outputs=outputs, targets=labels[chosen])
                model.eval()
                with torch.no_grad():
                    outputs = model(inputs[TRAINED:])
                accuracy = float((outputs.argmax(1) == labels[TRAINED:]).float().mean())
                watch.epoch(validation_loss=float(loss_fn(outputs, labels[TRAINED:])), validation_accuracy=accuracy)
                epochs.append(Epoch(float(loss.detach()), accuracy))
        report = trainhealth.check(Path(folder) / "run")
    return epochs, report


def look(setting: Setting) -> Report:
    """Return what the checkup says before such a training: twenty examples by heart, and the learning rate."""
    inputs, labels = images()
    model = two_layer_model()
    batches = [(inputs[i : i + BATCH], labels[i : i + BATCH]) for i in range(0, TRAINED, BATCH)]
    only = ("overfit", "rate-range")
    return trainhealth.checkup(
        model, nn.CrossEntropyLoss(), batches, sgd(model, setting), only=only, quick=True, seconds=3600, progress=False
    )


def written_training(setting: Setting) -> str:
    """Return one training as Markdown."""
    epochs, report = train(setting)
    momentum = f", momentum {setting.momentum}" if setting.momentum else ""
    lines = [f"### Rate {setting.rate:g}{momentum}", "", f"The lecture: {setting.lecture}.", ""]
    lines += ["| epoch | cost | validation accuracy |", "|---|---|---|"]
    lines += [f"| {number} | {one.cost:.6f} | {one.accuracy:.3f} |" for number, one in enumerate(epochs, start=1)]
    lines += ["", "`trainhealth check`:", ""]
    shown = [finding for finding in report.findings if str(finding.severity) != "note"]
    lines += [f"- {finding.code} {finding.name}: {finding.message}" for finding in shown]
    return "\n".join([*lines, ""])


def written_look(setting: Setting) -> str:
    """Return the checkup as Markdown."""
    report = look(setting)
    lines = [f"With the optimizer at {setting.rate:g}:", ""]
    lines += [f"- {finding.code} {finding.name}: {finding.message}" for finding in report.findings]
    if "overfit_rate" in report.advice:
        lines += [f"- twenty examples are learnt by heart, at a rate of {report.advice['overfit_rate']:g}"]
    if "learning_rate" in report.advice:
        lines += [
            f"- suggested rate: {report.advice['learning_rate']:g} ({report.advice['learning_rate_because']})",
            f"- too high: {report.advice['learning_rate_breaks']:g}",
        ]
    return "\n".join([*lines, ""])


def _written(one: Callable[[Setting], str]) -> str:
    return "\n".join(one(setting) for setting in SETTINGS)


def main() -> None:
    """Write what is measured into docs/babysitting.md."""
    torch.set_num_threads(1)
    text = f"## The checkup\n\n{_written(written_look)}\n## The trainings\n\n{_written(written_training)}"
    DOCUMENT.write_text(_MEASURED.sub(lambda found: f"{found[1]}\n{text}\n{found[2]}", DOCUMENT.read_text()))


if __name__ == "__main__":
    main()
