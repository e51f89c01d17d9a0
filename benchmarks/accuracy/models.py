"""The model families: plain ones, as people write them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from benchmarks.accuracy.data import Data

if TYPE_CHECKING:
    from benchmarks.accuracy.program import Program

_ACTIVATIONS = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "gelu": nn.GELU,
    "leaky": nn.LeakyReLU,
    "none": nn.Identity,
}
_OUTPUTS: dict[str, Callable[[], nn.Module]] = {
    "logits": nn.Identity,
    "softmax": lambda: nn.Softmax(-1),
    "sigmoid": nn.Sigmoid,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
}
_GAINS = {"relu": math.sqrt(2.0), "leaky": math.sqrt(2.0), "gelu": math.sqrt(2.0), "tanh": 5 / 3}


def make_model(program: Program, data: Data) -> nn.Module:
    """Return the program's model for its data, initialised as the program says."""
    body, features = _FAMILIES[program.model](program, data)
    head = nn.Linear(features, data.outputs)
    model = nn.Sequential()
    model.add_module("body", body)
    model.add_module("head", head)
    if program.output != "logits":
        model.add_module("output", _OUTPUTS[program.output]())
    if program.output_dropout:
        model.add_module("dropout", nn.Dropout(program.output_dropout))
    _initialize(model, program)
    return model


def _hidden(program: Program, width: int) -> list[nn.Module]:
    """Return what follows a hidden layer."""
    parts: list[nn.Module] = [nn.BatchNorm1d(width)] if program.normalization else []
    parts.append(_ACTIVATIONS[program.activation]())
    return [*parts, nn.Dropout(program.dropout)] if program.dropout else parts


def _mlp(program: Program, data: Data) -> tuple[nn.Module, int]:
    layers: list[nn.Module] = [nn.Flatten()]
    features = data.inputs[0].numel()
    for _ in range(program.depth):
        layers += [nn.Linear(features, program.width), *_hidden(program, program.width)]
        features = program.width
    return nn.Sequential(*layers), features


def _cnn(program: Program, data: Data) -> tuple[nn.Module, int]:
    layers: list[nn.Module] = []
    channels, out = data.inputs.shape[1], max(program.width // 4, 4)
    for _ in range(program.depth):
        layers.append(nn.Conv2d(channels, out, 3, padding=1))
        if program.normalization:
            layers.append(nn.BatchNorm2d(out))
        layers += [_ACTIVATIONS[program.activation](), nn.MaxPool2d(2)]
        channels, out = out, 2 * out
    layers.append(nn.Flatten())
    if program.dropout:
        layers.append(nn.Dropout(program.dropout))
    side = data.inputs.shape[-1] // 2**program.depth
    return nn.Sequential(*layers), channels * side * side


class _Recurrent(nn.Module):
    def __init__(self, program: Program, data: Data, kind: Callable[..., nn.RNNBase]) -> None:
        super().__init__()
        language = data.task == "language"
        self.embed = nn.Embedding(data.outputs, program.width) if language else nn.Identity()
        features = program.width if language else data.inputs.shape[-1]
        self.rnn = kind(
            features, program.width, program.depth, batch_first=program.batch_first, dropout=program.dropout
        )
        self.last = not language

    def forward(self, inputs: Tensor) -> Tensor:
        states, _ = self.rnn(self.embed(inputs))
        result: Tensor = states[:, -1] if self.last else states
        return result


class _Transformer(nn.Module):
    def __init__(self, program: Program, data: Data) -> None:
        super().__init__()
        language = data.task == "language"
        length = data.inputs.shape[1]
        self.embed = (
            nn.Embedding(data.outputs, program.width) if language else nn.Linear(data.inputs.shape[-1], program.width)
        )
        self.positions = nn.Parameter(0.02 * torch.randn(length, program.width))
        layer = nn.TransformerEncoderLayer(
            program.width,
            4,
            2 * program.width,
            program.dropout,
            "gelu" if program.activation == "gelu" else "relu",
            batch_first=program.batch_first,
            norm_first=True,
        )
        self.encoder = nn.TransformerEncoder(
            layer, program.depth, nn.LayerNorm(program.width), enable_nested_tensor=False
        )
        self.language = language
        self.causal = language and program.causal
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(length))

    def forward(self, inputs: Tensor) -> Tensor:
        signal = self.embed(inputs) + self.positions
        states: Tensor = self.encoder(signal, mask=self.mask if self.causal else None, is_causal=self.causal)
        return states if self.language else states.mean(1)


def _autoencoder(program: Program, data: Data) -> tuple[nn.Module, int]:
    features, narrow = data.inputs.shape[1], max(program.width // 4, 8)
    layers = [nn.Linear(features, program.width), *_hidden(program, program.width)]
    layers += [nn.Linear(program.width, narrow), *_hidden(program, narrow)]
    layers += [nn.Linear(narrow, program.width), *_hidden(program, program.width)]
    return nn.Sequential(*layers), program.width


_FAMILIES = {
    "mlp": _mlp,
    "cnn": _cnn,
    "gru": lambda program, data: (_Recurrent(program, data, nn.GRU), program.width),
    "lstm": lambda program, data: (_Recurrent(program, data, nn.LSTM), program.width),
    "transformer": lambda program, data: (_Transformer(program, data), program.width),
    "autoencoder": _autoencoder,
}


@torch.no_grad()
def _initialize(model: nn.Module, program: Program) -> None:
    """Set the weights of linear and convolutional layers; other modules keep torch's values."""
    if program.initialization == "default":
        return
    for name, module in model.named_modules():
        if not isinstance(module, nn.Linear | nn.Conv2d) or isinstance(
            module, nn.modules.linear.NonDynamicallyQuantizableLinear
        ):
            continue
        fan_in = module.weight[0].numel()
        gain = 1.0 if name == "head" else _GAINS.get(program.activation, 1.0)
        std = gain / math.sqrt(fan_in)
        if program.initialization in ("zero", "constant"):
            module.weight.fill_(0.0 if program.initialization == "zero" else 0.1)
        else:
            module.weight.normal_(0.0, std * {"small": 0.01, "large": 10.0}.get(program.initialization, 1.0))
        if module.bias is not None:
            module.bias.fill_(program.bias if name != "head" else 0.0)
