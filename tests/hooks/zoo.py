"""A zoo of awkward models: each a small training problem that has once broken somebody's hooks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.utils.checkpoint import checkpoint


@dataclass
class Animal:
    """A model with what it takes to train it: batches, loss, optimizer, and the loop's own habits."""

    model: nn.Module
    batches: list[tuple[Any, Tensor]]
    loss: Callable[[Any, Tensor], Tensor]
    optimizer: torch.optim.Optimizer
    micro_batches: int = 1
    forward: Callable[[nn.Module, Any], Any] = field(default=lambda model, batch: model(batch))
    scaler: torch.amp.GradScaler | None = None
    closure: bool = False
    before: Callable[[int], object] = field(default=lambda number: None)  # called before each batch, from 1

    def steps(self) -> Iterator[tuple[Tensor, Any, Tensor, bool]]:
        """Train, and yield (loss, outputs, targets, whether a step has ended) after each batch."""
        for number, (inputs, targets) in enumerate(self.batches, 1):
            self.before(number)
            if self.closure:
                yield (*self._closure_step(inputs, targets), targets, True)
                continue
            outputs = self.forward(self.model, inputs)
            loss = self.loss(outputs, targets) / self.micro_batches
            (self.scaler.scale(loss) if self.scaler else loss).backward()
            ended = number % self.micro_batches == 0
            if ended and self.scaler:
                self.scaler.step(self.optimizer)
                self.scaler.update()
            elif ended:
                self.optimizer.step()
            if ended:
                self.optimizer.zero_grad()
            yield loss, outputs, targets, ended

    def _closure_step(self, inputs: Any, targets: Tensor) -> tuple[Tensor, Any]:
        seen: list[Any] = []

        def closure() -> Tensor:
            self.optimizer.zero_grad()
            outputs = self.forward(self.model, inputs)
            loss = self.loss(outputs, targets)
            loss.backward()
            seen[:] = [outputs]
            return loss

        return self.optimizer.step(closure), seen[0]


def images(count: int = 12, size: int = 16) -> list[tuple[Tensor, Tensor]]:
    return [(torch.randn(size, 1, 8, 8), torch.randint(0, 10, (size,))) for _ in range(count)]


def vectors(count: int = 12, size: int = 16, width: int = 6) -> list[tuple[Tensor, Tensor]]:
    return [(torch.randn(size, width), torch.randint(0, 3, (size,))) for _ in range(count)]


def sgd(model: nn.Module, lr: float = 0.05) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)


def functional_relu() -> Animal:
    class Functional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(6, 8), nn.Linear(8, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.second(F.relu(self.first(x)))

    model = Functional()
    return Animal(model, vectors(), F.cross_entropy, sgd(model))


def inplace_relu_batchnorm_dropout() -> Animal:
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Flatten(), nn.Dropout(0.5), nn.Linear(144, 10)
    )
    return Animal(model, images(), F.cross_entropy, torch.optim.AdamW(model.parameters(), lr=1e-3))


def reused_modules() -> Animal:
    relu, shared = nn.ReLU(), nn.Linear(6, 6)
    model = nn.Sequential(shared, relu, shared, relu, nn.Linear(6, 3), relu)
    return Animal(model, vectors(), F.cross_entropy, sgd(model))


def tied_embedding() -> Animal:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.head = nn.Embedding(11, 6), nn.Linear(6, 11, bias=False)
            self.head.weight = self.embedding.weight

        def forward(self, x: Tensor) -> Tensor:
            return self.head(torch.tanh(self.embedding(x)))

    model = Tied()
    batches = [(torch.randint(0, 11, (4, 5)), torch.randint(0, 11, (4, 5))) for _ in range(12)]
    return Animal(model, batches, lambda o, t: F.cross_entropy(o.flatten(0, 1), t.flatten()), sgd(model))


def sparse_embedding() -> Animal:
    class Sparse(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.head = nn.Embedding(20, 6, sparse=True), nn.Linear(6, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.embedding(x).mean(1))

    model = Sparse()
    batches = [(torch.randint(0, 20, (8, 5)), torch.randint(0, 3, (8,))) for _ in range(12)]
    return Animal(model, batches, F.cross_entropy, torch.optim.SGD(model.parameters(), lr=0.1))


def packed_lstm() -> Animal:
    class Packed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.head = nn.LSTM(4, 5, batch_first=True), nn.Linear(5, 3)

        def forward(self, x: Tensor) -> Tensor:
            lengths = torch.arange(x.shape[0], 0, -1).clamp(max=x.shape[1])
            packed, _ = self.lstm(pack_padded_sequence(x, lengths, batch_first=True))
            return self.head(pad_packed_sequence(packed, batch_first=True)[0][:, 0])

    model = Packed()
    batches = [(torch.randn(6, 5, 4), torch.randint(0, 3, (6,))) for _ in range(12)]
    return Animal(model, batches, F.cross_entropy, sgd(model))


def transformer() -> Animal:
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)
    model = nn.Sequential(nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(8, 3))
    batches = [(torch.randn(4, 6, 8), torch.randint(0, 3, (4, 6))) for _ in range(12)]
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    return Animal(model, batches, lambda o, t: F.cross_entropy(o.flatten(0, 1), t.flatten()), optimizer)


def dictionary_output() -> Animal:
    class Dictionary(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Linear(6, 8), nn.Sigmoid(), nn.Linear(8, 3))

        def forward(self, *, inputs: Tensor, labels: Tensor) -> dict[str, Any]:
            logits = self.body(inputs)
            return {"loss": F.cross_entropy(logits, labels), "nested": [(logits,)], "text": "x"}

    model = Dictionary()
    batches = [({"inputs": x, "labels": y}, y) for x, y in vectors()]
    return Animal(model, batches, lambda o, t: o["loss"], sgd(model), forward=lambda m, b: m(**b))


def frozen_layers() -> Animal:
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    model[0].requires_grad_(False)
    return Animal(model, vectors(), F.cross_entropy, sgd(model[2]))


def gradient_accumulation() -> Animal:
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
    return Animal(model, vectors(24), F.cross_entropy, sgd(model), micro_batches=3)


def lbfgs() -> Animal:
    model = nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 3))
    return Animal(model, vectors(4), F.cross_entropy, torch.optim.LBFGS(model.parameters(), max_iter=4), closure=True)


def bfloat16_autocast() -> Animal:
    def forward(model: nn.Module, batch: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return model(batch)

    model = nn.Sequential(nn.Linear(6, 8), nn.GELU(), nn.Linear(8, 3))
    return Animal(model, vectors(), lambda o, t: F.cross_entropy(o.float(), t), sgd(model), forward=forward)


def loss_scaler() -> Animal:
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    return Animal(model, vectors(), F.cross_entropy, sgd(model), scaler=scaler)


def half_precision() -> Animal:
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3)).to(torch.bfloat16)
    batches = [(x.to(torch.bfloat16), y) for x, y in vectors()]
    return Animal(model, batches, lambda o, t: F.cross_entropy(o.float(), t), sgd(model))


def float16_model() -> Animal:
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.LayerNorm(8), nn.Linear(8, 3)).half()
    batches = [(x.half(), y) for x, y in vectors()]
    return Animal(model, batches, lambda o, t: F.cross_entropy(o.float(), t), sgd(model))


def activation_checkpointing() -> Animal:
    class Checkpointed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 6), nn.ReLU())
            self.head = nn.Linear(6, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(checkpoint(self.body, x, use_reentrant=False))

    model = Checkpointed()
    return Animal(model, vectors(), F.cross_entropy, sgd(model))


def regression() -> Animal:
    model = nn.Sequential(nn.Linear(6, 8), nn.ELU(), nn.Linear(8, 1))
    batches = [(torch.randn(16, 6), torch.randn(16, 1)) for _ in range(12)]
    return Animal(model, batches, F.mse_loss, torch.optim.RMSprop(model.parameters(), lr=1e-3))


def functorch_inside() -> Animal:
    class Vmapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.head = nn.Linear(6, 4), nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(torch.func.vmap(lambda row: F.relu(self.body(row)))(x))

    model = Vmapped()
    return Animal(model, vectors(), F.cross_entropy, sgd(model))


def lazy_modules() -> Animal:
    model = nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(3))
    batches = vectors()
    return Animal(model, batches, F.cross_entropy, sgd(model))


def awkward_parameters() -> Animal:
    """Complex, empty, scalar, frozen, unused, shared, sparse and half-precision ones, and one in channels_last."""

    class Awkward(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.turning = nn.Parameter(torch.randn(8, 8, dtype=torch.complex64))
            self.empty = nn.Parameter(torch.zeros(0, 5))
            self.scale = nn.Parameter(torch.tensor(1.0))
            self.frozen = nn.Parameter(torch.randn(3, 3), requires_grad=False)
            self.unused = nn.Parameter(torch.randn(3, 3))
            self.low = nn.Parameter(torch.randn(8, 8, dtype=torch.bfloat16))
            self.first, self.last = nn.Linear(4, 8), nn.Linear(8, 3)
            self.conv = nn.Conv2d(2, 4, 3).to(memory_format=torch.channels_last)
            self.twice, self.embedding = self.low, nn.Embedding(16, 8, sparse=True)

        def forward(self, x: Tensor) -> Tensor:
            x = self.first(x) * self.scale + self.embedding(torch.arange(len(x)))
            x = (x.to(torch.complex64) @ self.turning).real + (x.bfloat16() @ self.low).float()
            images = x.reshape(-1, 1, 2, 4).repeat(1, 2, 2, 1).to(memory_format=torch.channels_last)
            return self.last(x) + self.conv(images).mean() + self.empty.sum()

    model = Awkward()
    return Animal(model, vectors(width=4), F.cross_entropy, torch.optim.SGD(model.parameters(), lr=0.01))


def overflowing_loss_scaler() -> Animal:
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127, backoff_factor=2.0**-60)  # the first update is skipped
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    return Animal(model, vectors(), lambda o, t: 1e3 * F.cross_entropy(o, t), optimizer, scaler=scaler)


ZOO: list[Callable[[], Animal]] = [
    functional_relu,
    inplace_relu_batchnorm_dropout,
    reused_modules,
    tied_embedding,
    sparse_embedding,
    packed_lstm,
    transformer,
    dictionary_output,
    frozen_layers,
    gradient_accumulation,
    lbfgs,
    bfloat16_autocast,
    loss_scaler,
    half_precision,
    float16_model,
    activation_checkpointing,
    regression,
    functorch_inside,
    lazy_modules,
    awkward_parameters,
    overflowing_loss_scaler,
]
