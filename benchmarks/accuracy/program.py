"""A training program as data: everything that a fault can spoil and a recommendation can change."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Program:
    """The defaults train well with a rate that suits the optimizer."""

    data: str
    model: str  # "mlp", "cnn", "gru", "lstm", "transformer", "autoencoder", "gan"
    width: int = 64
    depth: int = 2
    activation: str = "relu"
    normalization: bool = False
    dropout: float = 0.0
    initialization: str = "suited"  # "default" (torch's), "small", "large", "zero", "constant"
    bias: float = 0.0
    output: str = "logits"  # what comes behind the last layer: "softmax", "sigmoid", "relu", "tanh"
    output_dropout: float = 0.0  # behind the last layer
    causal: bool = True  # what predicts text sees no later place
    batch_first: bool = True  # sequences are taken for what they are
    frozen: bool = False  # the optimizer was made before the last layer
    optimizer: str = "Adam"
    learning_rate: float = 1e-3
    momentum: float = 0.9
    weight_decay: float = 0.0
    body_rate: float = 1.0  # the body's learning rate is so many times that of the head
    # "cosine", "warmup-cosine", "steps", "one-cycle", "restarts", "early", "collapse", "cycling"
    schedule: str = "constant"
    first_decay: int | None = None  # step of the "early" schedule; None for a twentieth of the run
    clip: float | None = None
    batch_size: int = 32
    epochs: int = 15
    shuffle: bool = True
    zero_gradients: bool = True
    update: bool = True
    maximize: bool = False
    evaluation_mode: bool = True  # model.eval() in evaluations
    training_mode: bool = True  # model.train() in training
    # "mse" of probabilities, "sum" instead of the mean, "broadcast" of [N, 1] against [N], "binary" cross entropy,
    # "log" of raw outputs, "reshaped" where classes and places should be transposed
    loss: str = "suited"
    label_smoothing: float = 0.0
    class_weights: bool = False  # in the loss, by the inverse of their share
    input_scale: float = 1.0
    input_shift: float = 0.0
    feature_scale: float = 1.0  # of the first feature
    validation_scale: float = 1.0
    target_scale: float = 1.0
    label_noise: float = 0.0  # share of training labels that are drawn anew
    imbalance: float = 0.0  # share of all classes' examples but the first one's that are taken away
    overlap: float = 0.0  # share of training examples that are there a second time, with another label
    one_class: bool = False  # all training labels are 0
    missing_classes: float = 0.0  # share of the classes that training has no example of
    leak: bool = False  # the answer is one of the features
    blank: float = 0.0  # share of the features that have one value
    corrupt: float = 0.0  # share of training examples that are a thousand times too large
    padding: float = 0.0  # share of the places of texts that are filling
    examples: float = 1.0  # share of the training split
    input_noise: float = 0.0
    bad_example: bool = False  # one input is NaN
    validation_examples: int | None = None  # no more than these
    validation_loss: str = "mean"  # "sum"
    evaluated: str = "model"  # "copy": what it was before training
    resumed: str = ""  # "anew": half-way another process goes on, with new weights
    remade: str = ""  # "optimizer": for each step; "weights": for each epoch
    ranks: int = 1  # processes that share the data, and nothing else
    watched: str = "watch"  # "run": as a script that knows nothing of trainhealth
    pretrained: bool = False  # the body comes from an earlier training and is frozen; the head is new
    written: float = 1.0  # share of the log that is there: the run still goes on
    seed: int = 0

    def __str__(self) -> str:
        """Name what differs from the defaults."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        shown = [
            f"{field.name}={values[field.name]!r}" for field in fields(self) if values[field.name] != field.default
        ]
        return f"Program({', '.join(shown)})"
