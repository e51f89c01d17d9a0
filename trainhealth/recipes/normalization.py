"""Recipes for normalizing activations inside the model."""

from __future__ import annotations

from trainhealth.findings import Reference
from trainhealth.recipes.base import Recipe
from trainhealth.recipes.lectures import PRACTICAL_ASPECTS, REGULARIZATION, TRAINING_NETWORKS

BATCH_NORMALIZATION = Recipe(
    name="batch-normalization",
    title="Normalize each layer's output over the batch, before the activation",
    keywords=("BatchNorm", "BN", "activations vanish", "activations explode"),
    what=(
        "You want activations of mean 0 and variance 1: make them so. Batch normalization subtracts the batch's mean "
        "from every unit, divides by its standard deviation, and lets the layer learn a scale and a shift. Gradients "
        "flow better, higher rates work, and the initialization matters less. In evaluation, running averages of the "
        "training take the place of the batch's statistics."
    ),
    when="Convolutional and fully connected networks whose activations vanish, grow or saturate with depth.",
    when_not=(
        "Batches of fewer than about 16 examples, where the statistics are noise (group or layer normalization); "
        "recurrent networks and transformers (layer normalization); examples of a batch that depend on each other."
    ),
    changes=(
        "A layer after each linear or convolutional layer and before its activation (BatchNorm2d for images), "
        "model.train() before training and model.eval() before evaluating. The bias before it becomes useless."
    ),
    cost="Some per cent of time; two parameters and two running averages a unit. None at test time once it is fused.",
    snippet="""
from torch import nn

layers = []
for layer in model[:-1]:  # not after the output layer
    layers.append(layer)
    if isinstance(layer, nn.Linear):
        norm = nn.BatchNorm1d(layer.out_features)
        optimizer.add_param_group({"params": norm.parameters()})  # or make the optimizer after the model
        layers.append(norm)
model = nn.Sequential(*layers, model[-1])
model.train()  # model.eval() before validation: a very common source of bugs
""",
    verify="activation_std of the normalized layers is near 1 from step 0 on, and a rate three times as high trains.",
    practice=(
        "The lectures explain it by internal covariate shift; later work finds that it smooths the loss instead "
        "(Santurkar et al.). The remedy stands either way. It differs between training and evaluation, so a forgotten "
        "model.eval() is the first thing to look for when validation is odd."
    ),
    sources=(
        Reference(
            TRAINING_NETWORKS,
            "After fully connected or convolutional layers and before the nonlinearity; better gradient flow, higher "
            "rates, less dependence on initialization, some regularization",
        ),
        Reference(PRACTICAL_ASPECTS, "Behaves differently in training and testing: a very common source of bugs"),
        Reference(REGULARIZATION, "Layer and instance normalization behave the same in training and testing"),
        Reference(
            'Ioffe and Szegedy, "Batch Normalization", ICML 2015', "The method", "https://arxiv.org/abs/1502.03167"
        ),
        Reference(
            'Santurkar et al., "How Does Batch Normalization Help Optimization?", NeurIPS 2018',
            "It smooths the loss; covariate shift has little to do with it",
            "https://arxiv.org/abs/1805.11604",
        ),
    ),
)
