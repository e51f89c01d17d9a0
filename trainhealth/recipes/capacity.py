"""Recipes against underfitting: more model, more time."""

from __future__ import annotations

from trainhealth.findings import Reference
from trainhealth.recipes.base import Recipe
from trainhealth.recipes.lectures import OPTIMIZING, PRACTICAL_ASPECTS, TRAINING_NETWORKS, UNDER_AND_OVERFITTING

LARGER_MODEL = Recipe(
    name="larger-model",
    title="Give the model more capacity: more units a layer, then more layers",
    keywords=("underfitting", "more capacity", "bigger model", "wider", "deeper", "more layers", "high bias"),
    what=(
        "A model that can't fit the training split has a high bias: it is too small for the task, and no amount of "
        "data will help. Add units to each layer first, which is safe, then layers. Regularize afterwards, when "
        "training succeeds and validation lags."
    ),
    when="train_loss stays high and flat, training and validation are equally poor, and the rate is right.",
    when_not=(
        "A small sample can't be overfitted: then something is broken, and a larger model is broken too. Or training "
        "was still improving: train longer first."
    ),
    changes="The model. Find the learning rate anew: a wider model often bears a lower one.",
    cost="Doubling the width of all layers makes up to four times the parameters and the work.",
    snippet="""
import torch
from torch import nn

width = 256
outputs = model(inputs).shape[1]
model = nn.Sequential(
    nn.Linear(inputs.shape[1], width),
    nn.ReLU(),
    nn.Linear(width, width),
    nn.ReLU(),
    nn.Linear(width, outputs),
)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
""",
    verify="train_loss falls clearly below that of the smaller model after the same number of steps.",
    practice=(
        "The lectures' U-shaped curve of error over capacity warns of overfitting. Large networks with early stopping "
        "or augmentation mostly do not follow it: prefer the larger model, and regularize."
    ),
    sources=(
        Reference(UNDER_AND_OVERFITTING, "More hidden layers or more units a layer increase the capacity"),
        Reference(PRACTICAL_ASPECTS, "15 % training error and 16 % test error: high bias"),
        Reference(TRAINING_NETWORKS, "No gap between training and validation accuracy: increase model capacity"),
    ),
)

TRAIN_LONGER = Recipe(
    name="train-longer",
    title="Train for more epochs, with a schedule that reaches to the end",
    keywords=("more epochs", "underfitting", "still improving"),
    what=(
        "A run that ends while validation still improves was ended too early. Double or triple the epochs, and stretch "
        "the schedule with them: a rate that has already decayed to nothing can't use the additional time."
    ),
    when="Validation loss falls or accuracy rises at the end of the run; training and validation are close together.",
    when_not=(
        "Validation has turned up (early stopping), or train_loss is flat at a constant rate: then lower the rate."
    ),
    changes="The number of epochs and the length of the schedule, together.",
    cost="Time, in proportion.",
    snippet="""
import torch

epochs = 60  # three times as many as before
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs)

for epoch in range(epochs):
    loss = loss_fn(model(inputs), targets)  # your epoch of training
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()  # after every epoch
""",
    verify="validation_loss at the end lies below the earlier run's, and its curve has flattened.",
    practice=(
        "It is the well-known answer to the curve in the lecture's quiz on which validation accuracy still rises at "
        "the end. Continuing a run whose rate has decayed gains less than a new run with a longer schedule."
    ),
    sources=(
        Reference(
            OPTIMIZING,
            "Steps 5 and 6: train the best models for longer, look at loss and accuracy curves; cosine schedules have "
            "very few hyperparameters",
        ),
        Reference(UNDER_AND_OVERFITTING, "Training deep models usually requires a number of epochs"),
        Reference(
            'Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017',
            "The cosine schedule",
            "https://arxiv.org/abs/1608.03983",
        ),
    ),
)
