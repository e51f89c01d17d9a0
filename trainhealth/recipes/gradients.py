"""Recipes for gradients that grow too large or get lost on their way through the layers."""

from __future__ import annotations

from trainhealth.findings import Reference
from trainhealth.recipes.base import Recipe
from trainhealth.recipes.lectures import REGULARIZATION, UNDER_AND_OVERFITTING

GRADIENT_CLIPPING = Recipe(
    name="gradient-clipping",
    title="Clip the norm of the gradient",
    what=(
        "Deep and recurrent networks have cliffs in their loss: at one the gradient is enormous, and a single update "
        "throws the weights far away and undoes what was learnt. The gradient says which way to go, not how far: where "
        "its norm exceeds a limit, scale it down to the limit and keep its direction."
    ),
    when=(
        "Isolated spikes of the gradient norm, with a loss that jumps at the same step; recurrent networks; "
        "transformers."
    ),
    when_not=(
        "The gradient norm is large at every step: then clipping hides a rate that is too high. Or the gradients are "
        "already NaN: clipping can't mend them."
    ),
    changes="One line between backward and step (with a loss scaler: after unscaling).",
    cost="One pass over the gradients a step. A limit that is too low lowers the rate at every step, unseen.",
    snippet="""
import torch

max_norm = 1.0  # several times the gradient norm of quiet steps

for _ in range(5):  # your training loop
    loss = loss_fn(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    gradient_norm = torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)  # the norm before clipping
    optimizer.step()
""",
    verify="No jump of train_loss at steps with a large gradient_norm, and clipping that acts at a few steps only.",
    practice=(
        "The lecture calls it a very heuristic solution. It is standard for transformers today (a limit of 1.0), where "
        "it acts at the beginning and at rare batches."
    ),
    sources=(
        Reference(
            UNDER_AND_OVERFITTING,
            "Cliffs: an update can catapult the parameters very far; cut the gradient where it exceeds a threshold",
        ),
        Reference(
            'Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent neural networks", ICML 2013',
            "Scaling the gradient's norm down to a limit deals with exploding gradients",
            "https://arxiv.org/abs/1211.5063",
        ),
    ),
)

RESIDUAL_CONNECTIONS = Recipe(
    name="residual-connections",
    title="Add each block's input to its output",
    what=(
        "Through a deep chain of layers the gradient is a product of many factors, and dies if they are below one. A "
        "block that computes x + f(x) passes the gradient around f unchanged, and has only to learn what it changes."
    ),
    when="More than about ten layers in a row, gradients that fall by orders of magnitude towards the first layers.",
    when_not=(
        "Shallow networks. Or a chain in which every layer changes its width: then a projection is needed on the way "
        "around. Repair the initialization first: it is cheaper."
    ),
    changes=(
        "The model: blocks with as many outputs as inputs are wrapped. Pretrained weights keep their values, not "
        "their meaning."
    ),
    cost="No parameters; the activations of each block are kept a little longer.",
    snippet="""
from torch import nn


class Residual(nn.Module):
    def __init__(self, block):
        super().__init__()
        self.block = block

    def forward(self, x):
        return x + self.block(x)


def keeps_its_width(layer):
    return isinstance(layer, nn.Linear) and layer.in_features == layer.out_features


model = nn.Sequential(*(Residual(layer) if keeps_its_width(layer) else layer for layer in model))
""",
    verify="The gradient norms of the first and the last layers come within a factor of about ten of each other.",
    practice=(
        "The lecture shows the architecture as one of a row that begins with LeNet. Residual networks use two or three "
        "layers a block, with normalization inside; a single linear layer a block is the smallest case."
    ),
    sources=(
        Reference(REGULARIZATION, "The structure of ResNet, among the classical architectures"),
        Reference(
            'He et al., "Deep Residual Learning for Image Recognition", CVPR 2016',
            "With identity connections, much deeper networks train and get better",
            "https://arxiv.org/abs/1512.03385",
        ),
    ),
)
