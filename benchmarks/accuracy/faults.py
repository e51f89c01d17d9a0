"""The faults: what can be planted into a program, in three strengths, and which findings name it rightly.

The operators are DeepCrime's (Humbatova, Jahangirova and Tonella 2021), and the illness of every rule. Three that a
short run of one process can't have are trained in the tests of their rules: a process that hangs (RU01), minutes of
waiting for data (RU02), clients of a federation (RU04). What is a symptom of other illnesses (LS03, LS04, LS06, LS08,
GR01, GR02, AC02 to AC04) has no fault of its own. DeepCrime's missing validation is no illness here: a report says what
it could not check.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.accuracy.data import load
from benchmarks.accuracy.program import Program

STRENGTHS = ("barely", "clearly", "grossly")
Spoilt = tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Fault:
    """One way to spoil a program.

    `spoilt` has a mapping of changes for each strength, or only for the first one: where the catalogue makes the
    illness a note, and where it hardly harmed on the tuning part. A number after "x" multiplies what the healthy
    program has. `names` are the findings that name the illness rightly, the best one first; the other fields say which
    programs can have it.
    """

    name: str
    names: tuple[str, ...]
    spoilt: Spoilt
    models: tuple[str, ...] = ()  # () for all
    tasks: tuple[str, ...] = ()
    normalized: bool | None = None
    tabular: bool = False  # an example is a row of features
    optimizers: tuple[str, ...] = ()  # () for all
    only: Mapping[str, Any] | None = None  # changes that the healthy twin has as well

    def fits(self, program: Program) -> bool:
        """Tell whether the program can have this fault."""
        return (
            program.model != "gan"
            and (not self.models or program.model in self.models)
            and (not self.tasks or load(program.data).task in self.tasks)
            and (not self.optimizers or program.optimizer in self.optimizers)
            and self.normalized in (None, program.normalization)
            and (not self.tabular or load(program.data).tabular)
        )

    def healthy(self, program: Program) -> Program:
        """Return the twin without the fault."""
        return changed(program, self.only or {})

    def sick(self, program: Program, strength: str) -> Program:
        """Return the program with the fault."""
        return changed(self.healthy(program), self.spoilt[STRENGTHS.index(strength)])


def changed(program: Program, changes: Mapping[str, Any]) -> Program:
    """Return the program with other settings; a number after "x" multiplies the one that is there."""
    return replace(program, **{name: _value(value, getattr(program, name)) for name, value in changes.items()})


def _value(value: Any, healthy: Any) -> Any:
    if isinstance(value, str) and value.startswith("x"):
        product = healthy * float(value[1:])
        return max(round(product), 1) if isinstance(healthy, int) else product
    return value


def _ladder(name: str, *values: Any) -> Spoilt:
    barely, clearly, grossly = values
    return {name: barely}, {name: clearly}, {name: grossly}


def _always(**changes: Any) -> Spoilt:
    return changes, changes, changes


def _mild(**changes: Any) -> Spoilt:
    return (changes,)


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
    Fault("overlapping classes", ("GE08", "GE01", "GE02"), _ladder("overlap", 0.2, 0.5, 1.0), models=("mlp", "cnn",
          "gru", "lstm"), tasks=("classification",), only={"epochs": 40}),
    Fault("noisy inputs", ("DA06", "GE02", "GE06"), _ladder("input_noise", 0.5, 2.0, 5.0), models=("mlp", "cnn", "gru",
          "lstm")),
    Fault("constant features", ("DA03", "AC04"), _ladder("blank", 0.25, 0.6, 1.0), models=("mlp",), tabular=True),
    Fault("one class", ("DA07",), _always(one_class=True), tasks=("classification",)),
    Fault("classes without examples", ("DA11", "DA07"), _ladder("missing_classes", 0.1, 0.3, 0.6),
          tasks=("classification",), only={"watched": "run"}),
    Fault("padding counted", ("DA12",), _ladder("padding", 0.5, 0.75, 0.9), tasks=("language",)),
    Fault("targets beyond the loss", ("DA10",), _always(loss="binary"), tasks=("reconstruction",)),
    Fault("answers in the inputs", ("MO10",), _always(leak=True), models=("mlp",), tasks=("regression",)),
    Fault("no causal mask", ("MO10",), _always(causal=False), models=("transformer",), tasks=("language",)),
    Fault("broken examples", ("LS05",), _mild(corrupt=0.01), models=("mlp", "cnn", "gru", "lstm")),
    Fault("batch too large", ("GE03", "OP02", "GE02"), _ladder("batch_size", "x8", "x32", "x128")),
    Fault("batch too small", ("OP12", "OP01"), _mild(batch_size=1), normalized=False, only={"epochs": 6,
          "learning_rate": "x3"}),
    Fault("plain SGD at Adam's rate", ("OP02", "GE03", "GE02"), _always(optimizer="SGD", momentum=0.0),
          optimizers=("Adam", "AdamW")),
    Fault("Adagrad at Adam's rate", ("OP07", "OP02", "GE03"), _always(optimizer="Adagrad"), optimizers=("Adam",)),
    Fault("decay in Adam", ("OP08", "GE09", "GE02"), _ladder("weight_decay", 0.01, 0.1, 1.0), optimizers=("Adam",)),
    Fault("slow body", ("OP05", "OP02", "OP09"), _ladder("body_rate", 1e-2, 1e-4, 1e-6), models=("mlp", "cnn", "gru",
          "lstm")),
    Fault("no warm-up", ("OP04", "OP01"), _always(schedule="cosine"), models=("transformer",), only={"learning_rate":
          "x10", "schedule": "warmup-cosine"}),
    Fault("optimizer made anew", ("OP16",), _always(remade="optimizer"), only={"watched": "run"}),
    Fault("weights made anew", ("RU06",), _always(remade="weights"), only={"watched": "run"}),
    Fault("ranks apart", ("RU03",), _always(ranks=2)),
    Fault("rate cycles", ("OP17",), _always(schedule="cycling")),
    Fault("no end", ("GE04", "GE01"), _mild(epochs="x10"), models=("mlp", "cnn", "gru", "lstm"),
          tasks=("classification", "regression"), only={"examples": 0.3}),
    Fault("small and starved", ("GE05", "GE01", "GE02"), _ladder("examples", 0.2, 0.1, 0.05), models=("mlp",),
          tasks=("classification",), only={"width": 3, "epochs": 80, "batch_size": 8}),
    Fault("validation on a handful", ("GE07",), _mild(validation_examples=15), tasks=CLASSES),
    Fault("validation loss summed", ("GE10",), _always(validation_loss="sum")),
    Fault("logarithm of raw outputs", ("LS09", "LS01", "MO07"), _always(loss="log"), tasks=("classification",)),
    Fault("sigmoid before binary loss", ("MO11",), _always(output="sigmoid"), tasks=("classification",),
          only={"loss": "binary"}),
    Fault("scores reshaped", ("MO13",), _always(loss="reshaped"), tasks=("language",)),
    Fault("dropout on the outputs", ("MO14",), _ladder("output_dropout", 0.2, 0.5, 0.8)),
    Fault("batch for time", ("MO15",), _always(batch_first=False), models=("gru", "lstm", "transformer"),
          tasks=("classification",)),
    Fault("resumed without its weights", ("RU05",), _always(resumed="anew")),
    Fault("evaluation of a copy", ("RU07",), _always(evaluated="copy")),
)
# fmt: on
