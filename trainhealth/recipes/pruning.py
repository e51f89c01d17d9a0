"""Recipes for networks with fewer weights."""

from __future__ import annotations

from trainhealth.findings import Reference
from trainhealth.recipes.base import Recipe
from trainhealth.recipes.lectures import REGULARIZATION

LOTTERY_TICKET = Recipe(
    name="lottery-ticket",
    title="Prune the smallest weights, and train the rest again from their initial values",
    keywords=("pruning", "prune", "sparse network", "compression"),
    what=(
        "Train, remove the smallest weights, put the others back to where they started, and train again. What is left, "
        "a winning ticket, learns as well as the whole network; the same structure with new random weights does not."
    ),
    when="The model has to be small, and a second training is affordable; overfitting that pruning may reduce.",
    when_not=(
        "You need speed on ordinary hardware: zeros in a dense matrix are multiplied all the same. Prune whole units "
        "then."
    ),
    changes="Two trainings, and a mask on each weight.",
    cost="A training for each round. A fifth of the weights a round is gentler than many at once.",
    snippet="""
import copy

import torch
from torch import nn
from torch.nn.utils import prune

start = copy.deepcopy(model.state_dict())
for _ in range(100):  # the first training
    loss = loss_fn(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

layers = [layer for layer in model if isinstance(layer, nn.Linear)]
prune.global_unstructured([(layer, "weight") for layer in layers], prune.L1Unstructured, amount=0.5)
with torch.no_grad():
    for name, parameter in model.named_parameters():
        parameter.copy_(start[name.removesuffix("_orig")])  # back to the beginning, behind the mask
optimizer = torch.optim.SGD(model.parameters(), lr=optimizer.param_groups[0]["lr"])
# then train again; prune.remove(layer, "weight") makes the zeros permanent
""",
    verify="With half of the weights, the second training reaches the loss of the first in as many steps.",
    practice=(
        "For large networks the weights must be put back to an early step, not to the very first (Frankle et al., "
        "2019). Pruning gradually while training is what is done in practice."
    ),
    sources=(
        Reference(
            REGULARIZATION, "Prune p % of the trained weights, reset the remaining ones to their values at the start"
        ),
        Reference(
            'Frankle and Carbin, "The Lottery Ticket Hypothesis", ICLR 2019',
            "The experiment and the hypothesis",
            "https://arxiv.org/abs/1803.03635",
        ),
    ),
)
