"""The third part of the zoo: models and loops that use torch's own tools for something uncommon."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.utils import parametrizations, prune
from torch.utils.checkpoint import checkpoint

from tests.hooks.zoo import Animal, sgd, vectors


def checkpointed_batch_norm() -> Animal:
    """Its statistics move whenever the part is computed, and reading what the graph keeps would compute it again."""

    class Checkpointed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))

        def forward(self, x: Tensor) -> Tensor:
            return checkpoint(self.body, x, use_reentrant=False)

    model = Checkpointed()
    return Animal(model, vectors(), F.cross_entropy, sgd(model))


def checkpointed_loss() -> Animal:
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return checkpoint(F.cross_entropy, outputs, targets, use_reentrant=False) / 2

    return Animal(model, vectors(), loss, sgd(model))


def offloaded_activations() -> Animal:
    """What is saved for the backward goes into a store, from which it can be taken once."""
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))
    store: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> int:
        store[len(store)] = tensor.clone()
        return len(store) - 1

    def forward(module: nn.Module, batch: Tensor) -> Tensor:
        store.clear()
        with saved_tensors_hooks(pack, store.pop):
            return module(batch)

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        with saved_tensors_hooks(pack, store.pop):
            return F.cross_entropy(outputs, targets) / 2

    return Animal(model, vectors(), loss, sgd(model), forward=forward)


def parametrized_weights() -> Animal:
    model = nn.Sequential(
        parametrizations.spectral_norm(nn.Linear(6, 8)),
        nn.ReLU(),
        parametrizations.weight_norm(nn.Linear(8, 8)),
        nn.ReLU(),
        parametrizations.orthogonal(nn.Linear(8, 3)),
    )
    return Animal(model, vectors(), F.cross_entropy, sgd(model))


def pruned_weights() -> Animal:
    """One weight is pruned from the start, which is made final while the model trains."""
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    prune.l1_unstructured(model[0], "weight", 0.3)

    def before(number: int) -> None:
        if number == 7:
            prune.remove(model[0], "weight")

    return Animal(model, vectors(), F.cross_entropy, sgd(model), before=before)


def stacked_ensemble() -> Animal:
    """The parameters of three models, stacked, and one forward of all."""
    single = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    several = [copy.deepcopy(single) for _ in range(3)]
    stacked, _ = torch.func.stack_module_state(several)
    skeleton = copy.deepcopy(single).to("meta")

    class Ensemble(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.names = list(stacked)
            self.weights = nn.ParameterList([nn.Parameter(stacked[name].detach()) for name in self.names])

        def forward(self, x: Tensor) -> Tensor:
            def one(weights: dict[str, Tensor]) -> Tensor:
                return torch.func.functional_call(skeleton, weights, (x,))

            return torch.func.vmap(one)(dict(zip(self.names, self.weights, strict=True))).mean(0)

    model = Ensemble()
    return Animal(model, vectors(), F.cross_entropy, sgd(model))


def complex_layers() -> Animal:
    class Complex(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.turning, self.head = nn.Linear(6, 6, dtype=torch.complex64), nn.Linear(6, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(torch.relu(self.turning(torch.fft.fft(x)).abs()))

    model = Complex()
    return Animal(model, vectors(), F.cross_entropy, torch.optim.Adam(model.parameters(), lr=1e-2))


def weights_moved_into_other_memory() -> Animal:
    """Each parameter's data is a new tensor in every step."""
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))

    def before(number: int) -> None:
        for parameter in model.parameters():
            parameter.data = parameter.data.clone()

    return Animal(model, vectors(), F.cross_entropy, sgd(model), before=before)


class Marked(Tensor):
    """A tensor subclass as libraries make them: the results of its functions are of the same class."""


def tensor_subclass() -> Animal:
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    batches: list[tuple[Any, Tensor]] = [(x.as_subclass(Marked), y) for x, y in vectors()]
    return Animal(model, batches, F.cross_entropy, sgd(model))


def factored_moments() -> Animal:
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    return Animal(model, vectors(), F.cross_entropy, torch.optim.Adafactor(model.parameters()))


def sparse_adam() -> Animal:
    class Sparse(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bag, self.head = nn.EmbeddingBag(20, 6, sparse=True), nn.Linear(6, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.bag(x))

    model = Sparse()
    batches: list[tuple[Any, Tensor]] = [(torch.randint(0, 20, (8, 4)), torch.randint(0, 3, (8,))) for _ in range(12)]
    return Animal(model, batches, F.cross_entropy, torch.optim.SparseAdam(model.bag.parameters(), lr=0.01))


TOOLS: list[Callable[[], Animal]] = [
    checkpointed_batch_norm,
    checkpointed_loss,
    offloaded_activations,
    parametrized_weights,
    pruned_weights,
    stacked_ensemble,
    complex_layers,
    weights_moved_into_other_memory,
    tensor_subclass,
    factored_moments,
    sparse_adam,
]
