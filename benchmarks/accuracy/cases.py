"""The cases: faults in three strengths over several pairs of model and data, and healthy programs in many styles.

The pairs are split: `TUNING` is for looking at, `MEASURING` for measuring on. No model meets the same data in both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.accuracy.data import load
from benchmarks.accuracy.faults import CLASSES, FAULTS, STRENGTHS, Fault, changed
from benchmarks.accuracy.program import Program

SEEDS = (0, 1, 2)

TUNING = (
    Program("digits", "mlp"),
    Program("blobs", "mlp", width=128, depth=3, activation="gelu", optimizer="AdamW", weight_decay=0.01),
    Program("bars", "cnn", normalization=True, optimizer="SGD", learning_rate=0.05),
    Program("diabetes", "mlp", width=32, learning_rate=3e-3, epochs=20),
    Program("waves", "lstm", width=48, depth=1, learning_rate=3e-3),
    Program("wine", "mlp", width=32, optimizer="SGD", learning_rate=0.02, epochs=30),
    Program("circuits", "mlp", width=64, depth=3, learning_rate=3e-3, epochs=20),
    Program("waves", "transformer", width=32, depth=2, learning_rate=2e-3, epochs=20, schedule="warmup-cosine"),
    Program("blobs-again", "autoencoder", width=32, learning_rate=3e-3, epochs=20),
    Program("moons", "gan", width=64, learning_rate=1e-3, epochs=30),
    Program("manual", "transformer", width=48, depth=2, learning_rate=3e-3, epochs=10, schedule="warmup-cosine"),
)
MEASURING = (
    Program("digits", "cnn", normalization=True),
    Program("cancer", "mlp", width=48, optimizer="SGD", learning_rate=0.02, epochs=20),
    Program("spirals", "mlp", width=96, depth=3, learning_rate=3e-3, epochs=30),
    Program("friedman", "mlp", width=64, learning_rate=3e-3, epochs=20),
    Program("waves", "gru", width=48, depth=1, learning_rate=3e-3),
    Program(
        "text", "transformer", width=48, depth=2, activation="gelu", learning_rate=3e-3, epochs=10, schedule="cosine"
    ),
    Program("digits-again", "autoencoder", learning_rate=2e-3, epochs=20),
    Program("ring", "gan", width=64, learning_rate=1e-3, epochs=30),
)
PARTS: Mapping[str, tuple[Program, ...]] = {"tuning": TUNING, "measuring": MEASURING}


@dataclass(frozen=True)
class Style:
    """One way to write a healthy program: what it changes (as in `Fault.spoilt`), and the tasks that know it."""

    changes: Mapping[str, Any]
    tasks: tuple[str, ...] = ()  # () for all that have a loss to minimise

    def suits(self, program: Program) -> bool:
        """Tell whether the style is one of this program's."""
        if program.model == "gan":
            return self.changes.keys() <= {"batch_size", "width", "learning_rate"}
        return not self.tasks or load(program.data).task in self.tasks


STYLES = (
    Style({}),
    Style({"schedule": "cosine"}),
    Style({"schedule": "warmup-cosine"}),
    Style({"schedule": "steps"}),
    Style({"schedule": "one-cycle", "learning_rate": "x2"}),
    Style({"schedule": "restarts"}),
    Style({"optimizer": "AdamW", "weight_decay": 0.01}),
    Style({"optimizer": "NAdam"}),
    Style({"optimizer": "RMSprop", "momentum": 0.0, "learning_rate": "x0.3"}),
    Style({"dropout": 0.3}),
    Style({"label_smoothing": 0.1}, CLASSES),
    Style({"batch_size": 8, "learning_rate": "x0.5", "epochs": "x0.5"}),
    Style({"batch_size": 128, "epochs": "x2"}),
    Style({"clip": 1.0}),
    Style({"width": "x2"}),
    Style({"initialization": "default"}),
    Style({"weight_decay": 1e-4}),
    Style({"epochs": "x0.6"}),
    Style({"input_noise": 0.1}),
    Style({"dropout": 0.5, "width": "x2"}),
    Style({"bias": -0.2}),  # sparse activations
    Style({"imbalance": 0.7}, ("classification",)),
    Style({"target_scale": 10.0}, ("regression",)),
    Style({"validation_examples": 30}),
    Style({"epochs": "x5"}, ("reconstruction",)),  # a long plateau at the optimum; elsewhere it overfits
    Style({"written": 0.3}),  # the early phase of a good run
    Style({"pretrained": True}),
)


@dataclass(frozen=True)
class Case:
    """One training: a program, what was planted in it (None: nothing), and how strongly."""

    program: Program
    fault: Fault | None = None
    strength: str | None = None

    @property
    def key(self) -> str:
        """A name that is always the same: logs are kept under it."""
        return f"{self.fault.name if self.fault else 'healthy'}|{self.strength or ''}|{self.program}"


def healthy_cases(part: str, seeds: tuple[int, ...] = SEEDS) -> Iterator[Case]:
    """Yield the healthy programs of a part: every pair in every style."""
    seen: set[Program] = set()
    for program in PARTS[part]:
        for style in STYLES:
            if not style.suits(program):
                continue
            changes = dict(style.changes)
            if "optimizer" in changes and program.optimizer == "SGD" and "learning_rate" not in changes:
                changes["learning_rate"] = 1e-3
            for seed in seeds:
                made = replace(changed(program, changes), seed=seed)
                if made not in seen:
                    seen.add(made)
                    yield Case(made)


def sick_cases(part: str, seeds: tuple[int, ...] = SEEDS, pairs: int = 3) -> Iterator[Case]:
    """Yield every fault in every strength, on `pairs` pairs of model and data that can have it."""
    for fault in FAULTS:
        fitting = [program for program in PARTS[part] if fault.fits(program)][:pairs]
        seen: set[Program] = set()
        for program in fitting:
            strengths = STRENGTHS[: len(fault.spoilt)]
            for strength in (*strengths[1:], STRENGTHS[0]):  # a fault that is there or not counts as clear
                for seed in seeds:
                    made = replace(fault.sick(program, strength), seed=seed)
                    if made not in seen:
                        seen.add(made)
                        yield Case(made, fault, strength)
