"""The programs of the demo and of the sample logs: one illness each, and the healthy program that it spoils."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Program:
    """Everything that decides how a training of the demo's net runs; the defaults train well."""

    activation: str = "relu"  # or "tanh", "sigmoid"
    channels: int = 16  # of the first convolution; the second has twice as many
    hidden_layers: int = 1  # fully connected, behind the convolutions
    hidden_units: int = 64
    weight_std: float | None = None  # of every hidden weight; None: suited to the activation (He or Xavier)
    bias: float = 0.0  # initial value of all hidden biases
    output_std: float | None = None  # of the output layer's weights; None: Xavier
    optimizer: str = "SGD"  # with momentum 0.9, or "Adam"
    learning_rate: float = 0.05
    weight_decay: float = 0.0
    maximize: bool = False  # climb instead of descend: a sign error
    batch_size: int = 64
    epochs: int = 20
    examples: int = 1437  # of the training split
    broken_example: bool = False  # one training image has a pixel that is NaN
    root_of_zero: bool = False  # a penalty takes the root of a sum of squares, which is zero at first
    seed: int = 0


@dataclass(frozen=True)
class Illness:
    """A program that goes wrong in one way: its name is that of the rule that should find it."""

    name: str
    what: str  # what is wrong in the script, in one sentence
    spoilt: Mapping[str, Any] = field(default_factory=dict)  # what differs from the healthy twin
    twin: Mapping[str, Any] = field(default_factory=dict)  # what the healthy twin has that is not the default

    @property
    def program(self) -> Program:
        """The sick program."""
        return replace(self.healthy_program, **self.spoilt)

    @property
    def healthy_program(self) -> Program:
        """The same program without the illness."""
        return replace(Program(), **self.twin)


HEALTHY = Illness("healthy", "nothing: rate, initialisation and data are as they should be")

ILLNESSES = (
    Illness(
        "learning-rate-too-high",
        "the learning rate is 0.5 with momentum 0.9: every step overshoots",
        {"learning_rate": 0.5},
    ),
    Illness(
        "learning-rate-too-low",
        "the learning rate is 1e-6, as in the lecture's example: the loss barely moves",
        {"learning_rate": 1e-6},
    ),
    Illness(
        "nonfinite-loss",
        "a penalty on the biases takes the root of their squares, which are zero at first: its gradient is NaN",
        {"root_of_zero": True},
    ),
    Illness(
        "nonfinite-inputs",
        "one training image has a pixel that is NaN: the first batch that holds it destroys every weight",
        {"broken_example": True},
    ),
    Illness(
        "diverging-loss",
        "the sign of the loss is wrong: the optimizer climbs",
        {"maximize": True},
        {"optimizer": "Adam", "learning_rate": 1e-3},
    ),
    Illness(
        "implausible-initial-loss",
        "the output layer starts with weights of standard deviation 3: confident and wrong before the first step",
        {"output_std": 3.0},
        {"optimizer": "Adam", "learning_rate": 1e-3},
    ),
    Illness(
        "dead-relu-units",
        "all hidden biases start at -2: most units never fire, get no gradient and never learn to",
        {"bias": -2.0},
        {"optimizer": "Adam", "learning_rate": 1e-3},
    ),
    Illness(
        "saturated-activations",
        "tanh units with weights of standard deviation 1: every unit sits in its flat part",
        {"weight_std": 1.0},
        {"activation": "tanh", "hidden_layers": 4, "learning_rate": 0.02},
    ),
    Illness(
        "vanishing-activations",
        "ten tanh layers with weights of standard deviation 0.01: the signal is gone before it reaches the output",
        {"weight_std": 0.01},
        {"activation": "tanh", "hidden_layers": 8, "learning_rate": 0.02},
    ),
    Illness(
        "overfitting",
        "forty training images for a net that could learn a hundred thousand",
        {"examples": 40, "epochs": 160},
        {"optimizer": "Adam", "learning_rate": 1e-3, "hidden_layers": 2, "hidden_units": 256},
    ),
    Illness(
        "over-regularised",
        "a weight decay of 0.3: the optimizer is kept so busy making weights small that the net learns nothing",
        {"weight_decay": 0.3},
    ),
)


def find(name: str) -> Illness | None:
    """Return the illness of that name ("healthy" for none), or None if there is no such illness."""
    return next((illness for illness in (HEALTHY, *ILLNESSES) if illness.name == name), None)
