"""Gradients that vanish or explode on their way through depth, or through time."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn
from torch.optim import SGD

from programs import Pair
from programs.optimizer import Program, digits, training

DEPTH = 8


def softsign_net(gain: float) -> nn.Module:
    """Return eight layers of softsign units, with weights of `gain` times Xavier's size."""
    layers: list[nn.Module] = []
    for _ in range(DEPTH):
        linear = nn.Linear(64, 64)
        nn.init.xavier_normal_(linear.weight, gain)
        layers += [linear, nn.Softsign()]
    return nn.Sequential(*layers, nn.Linear(64, 10))


class Rows(nn.Module):
    """Reads the digits row by row, several times over, with a plain recurrent net."""

    def __init__(self, spread: float) -> None:
        """Draw recurrent weights of `spread` times Xavier's size."""
        super().__init__()
        self.recurrent = nn.RNN(8, 64, batch_first=True)
        nn.init.normal_(self.recurrent.get_parameter("weight_hh_l0"), std=spread / 8)
        self.head = nn.Linear(64, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits after forty rows."""
        rows = images.reshape(-1, 8, 8).repeat(1, 5, 1)
        output: Tensor = self.head(self.recurrent(rows)[0][:, -1])
        return output


def centred() -> tuple[Tensor, Tensor]:
    """Return the digits, standardised."""
    inputs, labels = digits()
    return (inputs - inputs.mean(0)) / (inputs.std(0) + 1e-6), labels


PAIRS = (
    Pair(
        "vanishing-gradients",
        "eight layers of softsign units with weights a fifth as large as Xavier's",
        training(Program(data=centred, net=partial(softsign_net, 0.2), optimizer=partial(SGD, lr=0.1), steps=400)),
        training(Program(data=centred, net=partial(softsign_net, 2.0), optimizer=partial(SGD, lr=0.1), steps=400)),
    ),
    Pair(
        "exploding-gradients",
        "a recurrent net whose weights magnify every change of the state in each of forty rows",
        training(Program(net=partial(Rows, 3.0), optimizer=partial(SGD, lr=0.1), steps=400)),
        training(Program(net=partial(Rows, 1.0), optimizer=partial(SGD, lr=0.1), steps=400)),
    ),
)
