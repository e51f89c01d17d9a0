"""Recipes that use all the data after early stopping has told how long to train."""

from __future__ import annotations

from trainhealth.findings import Reference
from trainhealth.recipes.base import Recipe
from trainhealth.recipes.lectures import REGULARIZATION, UNDER_AND_OVERFITTING

EARLY_STOPPING_RETRAIN = Recipe(
    name="early-stopping-retrain",
    title="Find the number of steps by early stopping, then train anew on all data",
    keywords=("algorithm 7.2", "train on all data"),
    what=(
        "Early stopping needs examples that it may not train on. When it has found the best number of steps i*, begin "
        "again from new weights and train on training and validation data together for i* steps (algorithm 7.2)."
    ),
    when="Data are few, so that the validation split is a loss worth a second training.",
    when_not=(
        "Data are many: the gain is small. Never where you still choose between models, since nothing is left to "
        "choose by."
    ),
    changes="A second training after the first; the test split stays untouched.",
    cost="Twice the training, and no validation in the second.",
    snippet="""
import copy

import torch

start, start_state = copy.deepcopy(model.state_dict()), copy.deepcopy(optimizer.state_dict())
best_loss, best_steps, patience = float("inf"), 0, 20


def train_step(x, y):
    loss = loss_fn(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


step = 0
while step < 500 and step - best_steps < patience:  # algorithm 7.1
    train_step(inputs, targets)
    step += 1
    with torch.no_grad():
        validation_loss = loss_fn(model(validation_inputs), validation_targets).item()
    if validation_loss < best_loss:
        best_loss, best_steps = validation_loss, step

model.load_state_dict(start)  # or draw new weights
optimizer.load_state_dict(start_state)
all_inputs = torch.cat([inputs, validation_inputs])
all_targets = torch.cat([targets, validation_targets])
for _ in range(best_steps):
    train_step(all_inputs, all_targets)
""",
    verify="The loss on a test split that neither training saw is lower than that of the first model.",
    practice=(
        "Steps or epochs? With more data an epoch has more steps; the algorithm counts steps. The lecture says that "
        "neither strategy is guaranteed to be best."
    ),
    sources=(
        Reference(
            REGULARIZATION, "Algorithm 7.2: determine how long to train, then retrain on all the data for i* steps"
        ),
        Reference(
            UNDER_AND_OVERFITTING, "One can perform extra training; both strategies are not guaranteed to be the best"
        ),
        Reference(
            "Goodfellow, Bengio, Courville, Deep Learning, section 7.8",
            "Both algorithms",
            "https://www.deeplearningbook.org/contents/regularization.html",
        ),
    ),
)

EARLY_STOPPING_CONTINUE = Recipe(
    name="early-stopping-continue",
    title="After early stopping, go on with all data until a given loss is reached",
    keywords=("algorithm 7.3",),
    what=(
        "Instead of beginning anew, keep the model that early stopping chose, note its training loss, and train on all "
        "data until the loss on the validation examples, which are now trained on, has come down to that value "
        "(algorithm 7.3)."
    ),
    when="As early-stopping-retrain, where a second training is too expensive.",
    when_not=(
        "The validation loss may never come down so far: set a limit. It is not well-behaved, and rarely worth it when "
        "a retraining is possible."
    ),
    changes="A loop after the first training.",
    cost="Less than a second training; no validation any more.",
    snippet="""
import copy

import torch


def loss_on(x, y):
    with torch.no_grad():
        return loss_fn(model(x), y).item()


def train_step(x, y):
    loss = loss_fn(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


best_loss, best_weights, waited = float("inf"), None, 0
while waited < 20:  # algorithm 7.1
    train_step(inputs, targets)
    validation_loss, waited = loss_on(validation_inputs, validation_targets), waited + 1
    if validation_loss < best_loss:
        best_loss, best_weights, waited = validation_loss, copy.deepcopy(model.state_dict()), 0
model.load_state_dict(best_weights)

goal = loss_on(inputs, targets)
all_inputs = torch.cat([inputs, validation_inputs])
all_targets = torch.cat([targets, validation_targets])
for _ in range(1000):  # the limit
    if loss_on(validation_inputs, validation_targets) <= goal:
        break
    train_step(all_inputs, all_targets)
""",
    verify="The loss on the former validation examples falls to the training loss at which early stopping had stopped.",
    practice=(
        "The book itself says that it is not as well-behaved as retraining, and need not end: hence the limit in the "
        "snippet, which the lecture's algorithm lacks."
    ),
    sources=(
        Reference(
            REGULARIZATION,
            "Algorithm 7.3: at what objective value do we start to overfit; continue until that value is reached",
        ),
        Reference(
            "Goodfellow, Bengio, Courville, Deep Learning, section 7.8",
            "Avoids the cost of retraining, and is not as well behaved",
            "https://www.deeplearningbook.org/contents/regularization.html",
        ),
    ),
)
