"""The second part of the zoo: models that return unusual things, and loops that change them while they train."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader, TensorDataset

from tests.hooks.zoo import Animal, sgd, vectors
from tests.hooks.zoo_of_tools import TOOLS


def mlp() -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3))


class Wrapped(nn.Module):
    """Hands its input to a body and its output to `shape`."""

    def __init__(self, body: nn.Module, shape: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.body, self.shape = body, shape

    def forward(self, x: Tensor) -> Any:
        return self.shape(self.body(x))


@dataclass
class Answer:
    logits: Tensor
    text: str = "x"


class Pair(NamedTuple):
    hidden: Tensor
    logits: Tensor


def dataclass_output() -> Animal:
    model = Wrapped(mlp(), Answer)
    return Animal(model, vectors(), lambda o, t: F.cross_entropy(o.logits, t), sgd(model))


def named_tuple_output() -> Animal:
    model = Wrapped(mlp(), lambda y: Pair(y.detach(), y))
    return Animal(model, vectors(), lambda o, t: F.cross_entropy(o.logits, t), sgd(model))


def nested_output() -> Animal:
    model = Wrapped(mlp(), lambda y: ({"a": [None, (y, 1.5)]}, []))
    return Animal(model, vectors(), lambda o, t: F.cross_entropy(o[0]["a"][1][0], t), sgd(model))


def recurrent(kind: type[nn.RNNBase], **options: Any) -> Animal:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cells, self.head = kind(4, 5, **options), nn.Linear(5, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.cells(x)[0][-1])

    model = Recurrent()
    batches = [(torch.randn(7, 6, 4), torch.randint(0, 3, (6,))) for _ in range(12)]
    return Animal(model, batches, F.cross_entropy, sgd(model))


def gru() -> Animal:
    return recurrent(nn.GRU, num_layers=2, dropout=0.1)


def elman_with_relu() -> Animal:
    return recurrent(nn.RNN, nonlinearity="relu")


def packed_input() -> Animal:
    class Packed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cells, self.head = nn.GRU(4, 5), nn.Linear(5, 3)

        def forward(self, x: PackedSequence) -> Tensor:
            return self.head(self.cells(x)[1][0])

    model = Packed()
    batches = [
        (pack_sequence([torch.randn(length, 4) for length in (5, 3, 2)]), torch.randint(0, 3, (3,))) for _ in range(12)
    ]
    return Animal(model, batches, F.cross_entropy, sgd(model))


def recurrent_cells_by_hand() -> Animal:
    class Cells(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell, self.head = nn.LSTMCell(4, 5), nn.Linear(5, 3)

        def forward(self, x: Tensor) -> Tensor:
            state = None
            for row in x:
                state = self.cell(row, state)
            assert state is not None
            return self.head(state[0])

    model = Cells()
    batches = [(torch.randn(7, 6, 4), torch.randint(0, 3, (6,))) for _ in range(12)]
    return Animal(model, batches, F.cross_entropy, sgd(model))


def truncated_backpropagation() -> Animal:
    """The hidden state goes on from batch to batch, detached."""

    class Stateful(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cells, self.head = nn.GRU(4, 5), nn.Linear(5, 3)
            self.hidden: Tensor | None = None

        def forward(self, x: Tensor) -> Tensor:
            y, hidden = self.cells(x, self.hidden)
            self.hidden = hidden.detach()
            return self.head(y[-1])

    model = Stateful()
    batches = [(torch.randn(7, 6, 4), torch.randint(0, 3, (6,))) for _ in range(12)]
    return Animal(model, batches, F.cross_entropy, sgd(model))


def unfrozen_later() -> Animal:
    model = mlp()
    model[0].requires_grad_(False)

    def before(number: int) -> None:
        if number == 5:
            model[0].requires_grad_(True)

    return Animal(model, vectors(), F.cross_entropy, sgd(model), before=before)


def parameter_group_added_later() -> Animal:
    model = mlp()
    optimizer = sgd(model[3])

    def before(number: int) -> None:
        if number == 5:
            optimizer.add_param_group({"params": list(model[0].parameters()), "lr": 0.01})

    return Animal(model, vectors(), F.cross_entropy, optimizer, before=before)


def layer_replaced() -> Animal:
    """The head is exchanged while the model trains."""
    model = mlp()
    optimizer = sgd(model)

    def before(number: int) -> None:
        if number == 5:
            model[3] = nn.Linear(8, 3)
            optimizer.add_param_group({"params": list(model[3].parameters())})

    return Animal(model, vectors(), F.cross_entropy, optimizer, before=before)


def fused_optimizer() -> Animal:
    model = mlp()
    return Animal(model, vectors(), F.cross_entropy, torch.optim.AdamW(model.parameters(), fused=True))


def foreach_optimizer() -> Animal:
    model = mlp()
    return Animal(model, vectors(), F.cross_entropy, torch.optim.Adam(model.parameters(), foreach=True))


def differentiable_rate() -> Animal:
    """The learning rate is a tensor."""
    model = mlp()
    optimizer = torch.optim.Adam(model.parameters(), lr=torch.tensor(1e-3), foreach=False)
    return Animal(model, vectors(), F.cross_entropy, optimizer)


def copied_saved_and_averaged() -> Animal:
    """Copies, averages, pickles and state dicts are made before every batch, and evaluated."""
    model = mlp()
    averaged = AveragedModel(model)

    def before(number: int) -> None:
        averaged.update_parameters(model)
        copied = copy.deepcopy(model).eval()
        torch.save(model, io.BytesIO())
        model.load_state_dict(copied.state_dict())
        with torch.no_grad():
            copied(torch.ones(2, 6)), averaged(torch.ones(2, 6))

    return Animal(model, vectors(), F.cross_entropy, sgd(model), before=before)


def evaluated_between() -> Animal:
    model = mlp()

    def before(number: int) -> None:
        model.eval()
        with torch.inference_mode():
            model(torch.randn(5, 6))
        model.train()

    return Animal(model, vectors(), F.cross_entropy, sgd(model), before=before)


def device_mode() -> Animal:
    def forward(model: nn.Module, batch: Tensor) -> Tensor:
        with torch.device("cpu"):
            return model(batch) + torch.zeros(3)

    model = mlp()
    return Animal(model, vectors(), F.cross_entropy, sgd(model), forward=forward)


def meta_device_first() -> Animal:
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    model.to_empty(device="cpu")
    for module in model:
        if isinstance(module, nn.Linear):
            module.reset_parameters()
    return Animal(model, vectors(), F.cross_entropy, sgd(model))


def data_parallel_without_devices() -> Animal:
    model = nn.DataParallel(mlp())
    return Animal(model, vectors(), F.cross_entropy, sgd(model))


def hooks_of_the_users() -> Animal:
    """Hooks that change what passes, on the root, a layer, a parameter and the optimizer."""
    model = mlp()
    model.register_forward_pre_hook(lambda module, args: (args[0] * 2,))
    model[0].register_forward_hook(lambda module, args, output: output + 1)
    model[3].register_full_backward_hook(lambda module, entering, leaving: (entering[0] * 0.5,))
    model[0].weight.register_hook(lambda gradient: gradient * 0.5)
    optimizer = sgd(model)
    optimizer.register_step_pre_hook(lambda *arguments: nn.utils.clip_grad_norm_(model.parameters(), 0.1) and None)
    return Animal(model, vectors(), F.cross_entropy, optimizer)


def reentrant_checkpointing() -> Animal:
    model = mlp()

    def forward(module: nn.Module, batch: Tensor) -> Tensor:
        return torch.utils.checkpoint.checkpoint(module, batch.requires_grad_(), use_reentrant=True)

    return Animal(model, vectors(), F.cross_entropy, sgd(model), forward=forward)


def forked_data_loader() -> Animal:
    """Batches come from worker processes that were forked while the model was watched."""
    return _with_workers("fork")


def spawned_data_loader() -> Animal:
    """Batches come from worker processes that begin anew."""
    return _with_workers("spawn")


def _with_workers(context: str) -> Animal:
    data = TensorDataset(torch.randn(24, 6), torch.randint(0, 3, (24,)))
    model = mlp()
    loader = DataLoader(data, 2, num_workers=1, multiprocessing_context=context)

    class Lazily:
        def __iter__(self) -> Any:
            return ((x, y) for x, y in loader)

    return Animal(model, Lazily(), F.cross_entropy, sgd(model))  # type: ignore[arg-type]  # it is only iterated


LOOPS: list[Callable[[], Animal]] = [
    dataclass_output,
    named_tuple_output,
    nested_output,
    gru,
    elman_with_relu,
    packed_input,
    recurrent_cells_by_hand,
    truncated_backpropagation,
    unfrozen_later,
    parameter_group_added_later,
    layer_replaced,
    fused_optimizer,
    foreach_optimizer,
    differentiable_rate,
    copied_saved_and_averaged,
    evaluated_between,
    device_mode,
    meta_device_first,
    data_parallel_without_devices,
    hooks_of_the_users,
    reentrant_checkpointing,
    forked_data_loader,
    spawned_data_loader,
    *TOOLS,
]
