"""The cases: faults in three strengths over several pairs of model and data, and healthy programs in many styles.

The pairs are split: `TUNING` is for looking at, `MEASURING` for measuring on. No model meets the same data in both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.accuracy.program import Program

SEEDS = (0, 1, 2)
STRENGTHS = ("barely", "clearly", "grossly")
TABULAR = ("blobs", "cancer", "diabetes", "friedman", "spirals", "wine", "circuits")

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
class Fault:
    """One way to spoil a program.

    `spoilt` has a mapping of changes for each strength; a number after "x" multiplies what the healthy program has.
    `names` are the findings that name the illness rightly, the best one first; `needs` says which programs can have it.
    """

    name: str
    names: tuple[str, ...]
    spoilt: tuple[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]]
    models: tuple[str, ...] = ()  # () for all
    tasks: tuple[str, ...] = ()
    normalized: bool | None = None
    tabular: bool = False  # an example is a row of features
    only: Mapping[str, Any] | None = None  # changes that the healthy twin has as well

    def fits(self, program: Program) -> bool:
        """Tell whether the program can have this fault."""
        return (
            program.model != "gan"
            and (not self.models or program.model in self.models)
            and (not self.tasks or _task(program.data) in self.tasks)
            and self.normalized in (None, program.normalization)
            and (not self.tabular or program.data in TABULAR)
        )

    def healthy(self, program: Program) -> Program:
        """Return the twin without the fault."""
        return replace(program, **(self.only or {}))

    def sick(self, program: Program, strength: str) -> Program:
        """Return the program with the fault."""
        twin = self.healthy(program)
        changes = self.spoilt[STRENGTHS.index(strength)]
        values = {name: _value(value, getattr(twin, name)) for name, value in changes.items()}
        return replace(twin, **values)


def _value(value: Any, healthy: Any) -> Any:
    if isinstance(value, str) and value.startswith("x"):
        product = healthy * float(value[1:])
        return max(round(product), 1) if isinstance(healthy, int) else product
    return value


def _task(data: str) -> str:
    if data.endswith("-again"):
        return "reconstruction"
    if data in ("ring", "moons"):
        return "adversarial"
    known = {"diabetes": "regression", "friedman": "regression", "circuits": "regression", "text": "language"}
    return known.get(data, "classification")


def _ladder(name: str, *values: Any) -> tuple[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]]:
    barely, clearly, grossly = values
    return {name: barely}, {name: clearly}, {name: grossly}


def _always(**changes: Any) -> tuple[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]]:
    return changes, changes, changes


FEEDFORWARD = ("mlp", "cnn", "autoencoder")
CLASSES = ("classification", "language")

# fmt: off
FAULTS = (
    Fault("rate too high", ("OP01", "LS02", "LS01"), _ladder("learning_rate", "x10", "x100", "x1000")),
    Fault("rate too low", ("OP02", "GE03", "GE02"), _ladder("learning_rate", "x0.03", "x0.003", "x0.0001")),
    Fault("rate collapses", ("OP14", "OP02", "OP03"), _always(schedule="collapse")),
    Fault("rate decays too early", ("OP03", "OP14"), _always(schedule="early")),
    Fault("too few epochs", ("GE03", "GE02", "OP02"), _ladder("epochs", "x0.3", "x0.15", "x0.1")),
    Fault("too few examples", ("GE01",), _ladder("examples", 0.1, 0.05, 0.03), tasks=("classification", "regression"),
          only={"epochs": 80, "batch_size": 8}),
    Fault("label noise", ("GE08", "GE01"), _ladder("label_noise", 0.3, 0.6, 1.0), models=("mlp", "cnn", "gru", "lstm"),
          tasks=("classification",), only={"epochs": 40}),
    Fault("imbalance", ("DA04",), _ladder("imbalance", 0.9, 0.97, 0.99), tasks=("classification",),
          only={"epochs": 60}),
    Fault("unshuffled", ("DA05",), _always(shuffle=False), tasks=("classification",)),
    Fault("unscaled inputs", ("DA01", "DA02", "LS07", "OP01"), _ladder("input_scale", 10.0, 100.0, 1000.0),
          models=("mlp", "cnn", "autoencoder"), normalized=False),
    Fault("shifted inputs", ("DA01",), _ladder("input_shift", 5.0, 20.0, 100.0), models=("mlp", "cnn"),
          normalized=False),
    Fault("one huge feature", ("DA02", "LS07", "DA01"), _ladder("feature_scale", 30.0, 300.0, 3000.0), models=("mlp",),
          tabular=True),
    Fault("other scale in validation", ("DA06", "GE01"), _ladder("validation_scale", 2.0, 5.0, 20.0),
          models=("mlp", "cnn", "gru", "lstm")),
    Fault("unscaled targets", ("DA08", "LS07", "OP02"), _ladder("target_scale", 100.0, 3000.0, 1e5),
          tasks=("regression",)),
    Fault("NaN in the data", ("LS01", "DA09"), _always(bad_example=True), models=("mlp", "cnn", "gru", "lstm",
          "autoencoder")),
    Fault("small weights", ("IN01", "IN04", "GR01"), _ladder("initialization", "small", "small", "small"),
          models=FEEDFORWARD, normalized=False, only={"depth": 5}),
    Fault("large weights", ("IN02", "IN04", "LS07", "GR02"), _ladder("initialization", "large", "large", "large"),
          models=FEEDFORWARD, normalized=False, only={"depth": 4}),
    Fault("equal weights", ("IN03",), (
        {"initialization": "constant"}, {"initialization": "constant"}, {"initialization": "zero"}),
          models=("mlp", "cnn")),
    Fault("dead units", ("AC01",), _ladder("bias", -1.0, -3.0, -10.0), models=("mlp", "cnn"), normalized=False,
          only={"activation": "relu"}),
    Fault("sigmoid units", ("AC05", "AC02", "AC03", "IN01", "GR01"), _always(activation="sigmoid"), models=("mlp",
          "cnn"),
          normalized=False, only={"depth": 5}),
    Fault("no nonlinearity", ("MO09",), _always(activation="none"), models=("mlp",)),
    Fault("strong dropout", ("MO05", "GE09", "GE06", "GE02"), _ladder("dropout", 0.7, 0.9, 0.97), models=("mlp",
          "cnn")),
    Fault("strong weight decay", ("GE09", "GE02"), _ladder("weight_decay", 0.03, 0.3, 3.0),
          only={"optimizer": "SGD", "learning_rate": 0.02}, models=("mlp", "cnn")),
    Fault("too small a model", ("GE02",), _ladder("width", 4, 2, 1), models=("mlp",), tasks=("classification",),
          only={"epochs": 60, "activation": "leaky"}),
    Fault("gradients not zeroed", ("OP10",), _always(zero_gradients=False)),
    Fault("no update", ("OP13", "OP09", "LS03"), _always(update=False)),
    Fault("head not optimized", ("OP09",), _always(frozen=True), models=("mlp", "cnn"), tasks=("classification",)),
    Fault("wrong sign", ("LS02", "OP01", "LS01"), _always(maximize=True)),
    Fault("tight clipping", ("OP11", "OP15", "OP02"), _ladder("clip", 1e-2, 1e-3, 1e-5),
          only={"optimizer": "SGD", "learning_rate": 0.02}),
    Fault("softmax before cross entropy", ("MO04",), _always(output="softmax"), tasks=("classification",)),
    Fault("sigmoid before cross entropy", ("MO04", "MO07", "MO12"), _always(output="sigmoid"),
          tasks=("classification",)),
    Fault("ReLU at the end", ("MO12", "MO07"), _always(output="relu"), tasks=("regression", "classification",
          "reconstruction")),
    Fault("broadcast loss", ("MO06",), _always(loss="broadcast"), tasks=("regression",)),
    Fault("squared error on classes", ("MO08",), _always(loss="mse"), tasks=("classification",)),
    Fault("evaluation in training mode", ("MO01",), _always(evaluation_mode=False), models=("mlp", "cnn"),
          only={"dropout": 0.3}),
    Fault("training in evaluation mode", ("MO02",), _always(training_mode=False), models=("mlp", "cnn"),
          only={"dropout": 0.3}),
    Fault("batch norm with two examples", ("MO03", "OP12"), (
        {"batch_size": 4, "learning_rate": "x0.3"}, {"batch_size": 3, "learning_rate": "x0.3"},
        {"batch_size": 2, "learning_rate": "x0.3"}), models=("mlp",), only={"normalization": True, "epochs": 8}),
    Fault("plain SGD in a ravine", ("OP06", "OP01", "LS06"), _ladder("learning_rate", "x10", "x20", "x40"),
          models=("mlp",),
          tasks=("regression",), only={"optimizer": "SGD", "momentum": 0.0, "learning_rate": 0.02}),
)
# fmt: on


@dataclass(frozen=True)
class Style:
    """One way to write a healthy program: what it changes (as in `Fault.spoilt`), and the tasks that know it."""

    changes: Mapping[str, Any]
    tasks: tuple[str, ...] = ()  # () for all that have a loss to minimise

    def suits(self, program: Program) -> bool:
        """Tell whether the style is one of this program's."""
        if program.model == "gan":
            return self.changes.keys() <= {"batch_size", "width", "learning_rate"}
        return not self.tasks or _task(program.data) in self.tasks


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
            values = {name: _value(value, getattr(program, name)) for name, value in style.changes.items()}
            if "optimizer" in values and program.optimizer == "SGD" and "learning_rate" not in values:
                values["learning_rate"] = 1e-3
            for seed in seeds:
                made = replace(program, seed=seed, **values)
                if made not in seen:
                    seen.add(made)
                    yield Case(made)


def sick_cases(part: str, seeds: tuple[int, ...] = SEEDS, pairs: int = 3) -> Iterator[Case]:
    """Yield every fault in every strength, on `pairs` pairs of model and data that can have it."""
    for fault in FAULTS:
        fitting = [program for program in PARTS[part] if fault.fits(program)][:pairs]
        seen: set[Program] = set()
        for program in fitting:
            for strength in ("clearly", "grossly", "barely"):  # a fault that is there or not counts as clear
                for seed in seeds:
                    made = replace(fault.sick(program, strength), seed=seed)
                    if made not in seen:
                        seen.add(made)
                        yield Case(made, fault, strength)
