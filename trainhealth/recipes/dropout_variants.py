"""Recipes for dropout with a schedule, or of whole feature maps."""

from __future__ import annotations

from trainhealth.findings import Reference
from trainhealth.recipes.base import Recipe
from trainhealth.recipes.lectures import REGULARIZATION

CURRICULUM_DROPOUT = Recipe(
    name="curriculum-dropout",
    title="Raise the probability of dropout slowly from 0",
    keywords=("dropout schedule", "regularization"),
    what=(
        "At the beginning there is nothing to regularize, and noise only slows training down. So no unit is dropped at "
        "first, and the probability approaches its final value over the first part of the run: the task gets harder as "
        "the model gets better."
    ),
    when="A model with dropout whose training is slow to start.",
    when_not="Short fine-tuning. Or dropout is too strong altogether: lower it.",
    changes="The probability of each dropout module, set before each step.",
    cost="None.",
    snippet="""
import math

from torch import nn

final = 0.5
layers = []
for layer in model:
    layers.append(layer)
    if isinstance(layer, nn.ReLU):
        layers.append(nn.Dropout(0.0))
model = nn.Sequential(*layers)
dropouts = [module for module in model.modules() if isinstance(module, nn.Dropout)]

steps = 200
for step in range(steps):  # your training loop
    for module in dropouts:
        module.p = final * (1 - math.exp(-10 * step / steps))
    loss = loss_fn(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
""",
    verify="train_loss falls in the first steps as without dropout, and the gap at the end is that of dropout.",
    practice=(
        "The lecture's source finds a fixed probability suboptimal; gains are small. Some start with dropout and end "
        "without (early dropout), against underfitting."
    ),
    sources=(
        Reference(REGULARIZATION, "A fixed dropout probability is suboptimal: a schedule gradually adds noise"),
        Reference(
            'Morerio et al., "Curriculum Dropout", ICCV 2017',
            "The exponential schedule",
            "https://arxiv.org/abs/1703.06229",
        ),
    ),
)

FEATURE_MAP_DROPOUT = Recipe(
    name="feature-map-dropout",
    title="In convolutional layers, drop whole feature maps",
    keywords=("DropMaps", "spatial dropout", "Dropout2d", "overfitting", "regularization"),
    what=(
        "Neighbouring positions of a feature map say nearly the same, so dropping single ones takes nothing away. "
        "Dropping a whole map does: the next layer must do without that feature."
    ),
    when="Overfitting in convolutional layers.",
    when_not=(
        "Fully connected layers (nn.Dropout). Right before batch normalization, whose variance it disturbs. "
        "Underfitting."
    ),
    changes="nn.Dropout2d after the activation of convolutional layers.",
    cost="More epochs. 0.1 to 0.2 is enough.",
    snippet="""
from torch import nn

layers = []
convolutional = False
for layer in model:
    layers.append(layer)
    convolutional = isinstance(layer, nn.Conv2d) or (convolutional and isinstance(layer, nn.ReLU))
    if convolutional and isinstance(layer, nn.ReLU):
        layers.append(nn.Dropout2d(p=0.2))
model = nn.Sequential(*layers)
model.train()  # model.eval() before validation
""",
    verify=(
        "The gap between train_loss and validation_loss narrows; a forward pass in training has maps that are all zero."
    ),
    practice=(
        "The lecture's DropMaps multiplies by p at test time; PyTorch scales while training, which is the same on "
        "average."
    ),
    sources=(
        Reference(REGULARIZATION, "DropMaps: each feature map is kept with probability p; at test time all are kept"),
        Reference(
            'Tompson et al., "Efficient Object Localization Using Convolutional Networks", CVPR 2015',
            "Spatial dropout",
            "https://arxiv.org/abs/1411.4280",
        ),
    ),
)
