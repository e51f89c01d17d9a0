"""Recipes for gradients that grow too large or get lost on their way through the layers."""

from __future__ import annotations

from trainhealth.findings import Reference
from trainhealth.recipes.base import Recipe
from trainhealth.recipes.lectures import REGULARIZATION, UNDER_AND_OVERFITTING

GRADIENT_CLIPPING = Recipe(
    name="gradient-clipping",
    title="Clip the norm of the gradient",
    keywords=("clip_grad_norm", "exploding gradients", "loss spikes", "cliffs"),
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
    keywords=("skip connections", "ResNet", "shortcut", "vanishing gradients"),
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

GATED_RECURRENCE = Recipe(
    name="gated-recurrence",
    title="Replace plain recurrent layers by gated ones that begin by keeping their state",
    keywords=("LSTM", "GRU", "RNN", "vanishing gradients", "long sequences"),
    what=(
        "A plain recurrent layer multiplies its state by the same weights at every step of the sequence, and the "
        "gradient on its way back too: eigenvalues below one leave nothing of it after some ten steps, and what stood "
        "at the beginning can't be learnt. A gated layer carries its state along with a gate near one, and adds to it."
    ),
    when="A recurrent model whose loss stays at its start while the answer depends on steps long ago.",
    when_not=(
        "The answer depends on the last few steps: a plain layer is enough. Or the loss is NaN: then the gradient "
        "explodes, and clipping helps."
    ),
    changes="The model: each nn.RNN becomes an nn.GRU of the same size, which returns the same things.",
    cost="Three times the recurrent weights and the time of the layer.",
    snippet="""
import torch
from torch import nn

for name, module in list(model.named_modules()):
    if type(module) is nn.RNN:
        sizes = (module.input_size, module.hidden_size, module.num_layers, module.bias, module.batch_first)
        gated = nn.GRU(*sizes, module.dropout, module.bidirectional)
        update_gate = slice(module.hidden_size, 2 * module.hidden_size)  # the second third of the biases
        with torch.no_grad():
            for parameter_name, parameter in gated.named_parameters():
                if parameter_name.startswith("bias_hh"):
                    parameter[update_gate] = 3.0
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, gated)
optimizer = type(optimizer)(model.parameters(), lr=optimizer.param_groups[0]["lr"])
""",
    verify=(
        "train_loss leaves its first level; the gradient of the first steps is no longer nothing beside that of the "
        "last."
    ),
    practice=(
        "The lectures show the problem (a product of many equal factors) and clip the opposite one. Transformers, "
        "which see all steps at once, have replaced recurrent layers where data are plenty. For an LSTM the gate to "
        "open is the forget gate, whose output is a pair that the code behind it has to expect."
    ),
    sources=(
        Reference(UNDER_AND_OVERFITTING, "A gradient that passes t steps is scaled by eigenvalues to the power of t"),
        Reference(
            'Hochreiter, Schmidhuber, "Long Short-Term Memory", Neural Computation 1997',
            "Gates let errors flow back through more than a thousand steps",
            "https://doi.org/10.1162/neco.1997.9.8.1735",
        ),
        Reference(
            'Jozefowicz, Zaremba, Sutskever, "An Empirical Exploration of Recurrent Network Architectures", ICML 2015',
            "A forget gate whose bias begins at 1 closes the gap between the LSTM and other gated layers",
            "https://proceedings.mlr.press/v37/jozefowicz15.html",
        ),
    ),
)
