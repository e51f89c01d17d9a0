"""Recipes against overfitting that act on training itself."""

from __future__ import annotations

from trainhealth.findings import Reference
from trainhealth.recipes.base import Recipe
from trainhealth.recipes.lectures import OPTIMIZING, PRACTICAL_ASPECTS, REGULARIZATION, UNDER_AND_OVERFITTING

EARLY_STOPPING = Recipe(
    name="early-stopping",
    title="Keep the weights of the best validation, and stop when it stops improving",
    keywords=("patience", "keep best weights", "best checkpoint", "overfitting", "regularization", "algorithm 7.1"),
    what=(
        "The training loss keeps falling while the validation loss turns up: from there on the model learns the "
        "training set by heart. Store the weights whenever the validation loss improves, give up after it has not "
        "improved for some evaluations (the patience), and return to the stored weights."
    ),
    when="Always, where there is a validation split. It changes nothing in the training itself.",
    when_not=(
        "As a substitute for a larger model or more training: where both losses still fall, train longer. Never choose "
        "by the test split."
    ),
    changes="An evaluation each epoch, a copy of the best weights, and a counter.",
    cost="An evaluation an epoch, memory for a copy of the weights, and a part of the data that is not trained on.",
    snippet="""
import copy

import torch

patience = 5  # evaluations without improvement; validation losses are noisy, so not 1
best_loss, best_weights, waited = float("inf"), None, 0

for epoch in range(200):
    model.train()
    loss = loss_fn(model(inputs), targets)  # your epoch of training
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

    model.eval()
    with torch.no_grad():
        validation_loss = loss_fn(model(validation_inputs), validation_targets).item()
    if validation_loss < best_loss:
        best_loss, best_weights, waited = validation_loss, copy.deepcopy(model.state_dict()), 0
    else:
        waited += 1
        if waited == patience:
            break

model.load_state_dict(best_weights)
""",
    verify="The weights in use give the lowest validation_loss that was seen, and the run ends some epochs after it.",
    practice=(
        'The lectures differ in words only: "always do this", or train long and keep the best snapshot, which is the '
        "same without the stop. With a decaying rate the validation loss often improves late, so be patient. After it, "
        "one may train again on all data for the number of steps that was found (algorithm 7.2). In a watched run "
        '`best = watch.keep_best("validation_loss", patience=10)`, `watch.should_stop` and `best.restore()` do the '
        "same, with the snapshot in a file."
    ),
    sources=(
        Reference(OPTIMIZING, "Always do this: stop, or keep the snapshot that worked best on validation"),
        Reference(UNDER_AND_OVERFITTING, "Algorithm 7.1, with the patience p; equivalent to L2 in a simple case"),
        Reference(PRACTICAL_ASPECTS, "Validation error fluctuates: it may need temporal smoothing"),
        Reference(REGULARIZATION, "Algorithms 7.2 and 7.3: training on all data afterwards"),
        Reference(
            "Goodfellow, Bengio, Courville, Deep Learning, section 7.8",
            "Early stopping as regularization",
            "https://www.deeplearningbook.org/contents/regularization.html",
        ),
    ),
)

DROPOUT = Recipe(
    name="dropout",
    title="Drop half of the units of wide fully connected layers while training",
    keywords=("regularization", "overfitting", "inverted dropout"),
    what=(
        "At every training step each unit is set to zero with some probability, so that no unit can rely on particular "
        "others. It is like training a large ensemble of networks that share their weights. Inverted dropout, which "
        "frameworks use, scales up the units that stay; in evaluation nothing is dropped."
    ),
    when="Overfitting in a model with large fully connected layers.",
    when_not=(
        "The training loss is poor too: dropout makes underfitting worse. Convolutional networks with batch "
        "normalization gain little from it."
    ),
    changes="A dropout layer after the activation of each wide layer; model.train() and model.eval() in their places.",
    cost="Training needs more epochs, and its loss is higher than that of the same model in evaluation.",
    snippet="""
from torch import nn

layers = []
for layer in model:
    layers.append(layer)
    if isinstance(layer, nn.ReLU):
        layers.append(nn.Dropout(p=0.5))  # the probability of dropping; 0.1 to 0.2 on inputs
model = nn.Sequential(*layers)
model.train()  # model.eval() before validation
""",
    verify=(
        "The gap between train_loss and validation_loss narrows: the first rises, the second falls or turns up later."
    ),
    practice=(
        "In the lectures' code p is the probability of keeping a unit, in PyTorch of dropping it; at 0.5 they agree. "
        "Today 0.1 is common in transformers, and data augmentation is tried first."
    ),
    sources=(
        Reference(OPTIMIZING, "0.5 is common; use dropout for large fully connected layers"),
        Reference(UNDER_AND_OVERFITTING, "For input units the best probability of keeping is nearer 1 than 0.5"),
        Reference(
            'Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", JMLR 2014',
            "The method",
            "https://jmlr.org/papers/v15/srivastava14a.html",
        ),
    ),
)

WEIGHT_DECAY = Recipe(
    name="weight-decay",
    title="Let the weights decay, with AdamW or SGD",
    keywords=("L2", "AdamW", "decoupled", "regularization", "overfitting"),
    what=(
        "Each step shrinks the weights by a small factor, so that only those stay large which the data keep asking "
        "for. For SGD this is the same as an L2 penalty on the loss. For adaptive optimizers it is not: there the "
        "penalty's gradient is divided by the gradient's own scale, so use AdamW, which decays the weights directly."
    ),
    when="Overfitting; and as a default with a small value in most training.",
    when_not="Underfitting. Never on biases and on the scales of normalization layers.",
    changes="The optimizer: a value for weights, none for parameters with one dimension.",
    cost="None in time. A value that is too large keeps the training loss up.",
    snippet="""
import torch

weights = [parameter for parameter in model.parameters() if parameter.ndim >= 2]
others = [parameter for parameter in model.parameters() if parameter.ndim < 2]
optimizer = torch.optim.AdamW(
    [{"params": weights, "weight_decay": 1e-2}, {"params": others, "weight_decay": 0.0}],
    lr=1e-3,
)
""",
    verify=(
        "parameter_norm of the weights stays lower. The gap between train_loss and validation_loss narrows little at "
        "1e-2: raise it by factors of 3 as long as validation_loss gains by it."
    ),
    practice=(
        "The lectures try 1e-4, 1e-5 and 0, which are values for SGD or L2. AdamW multiplies its decay by the learning "
        "rate, so its values are larger: 1e-2 is PyTorch's default, 0.1 is usual for language models."
    ),
    sources=(
        Reference(
            OPTIMIZING,
            "L2 and weight decay are the same for SGD and not for adaptive methods; AdamW should probably be the "
            "default optimizer; good weight decays to try: 1e-4, 1e-5, 0",
        ),
        Reference(UNDER_AND_OVERFITTING, "An L2 penalty multiplies the weights by a factor below one at each step"),
        Reference(
            'Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019',
            "Why L2 and weight decay differ for Adam, and AdamW",
            "https://arxiv.org/abs/1711.05101",
        ),
    ),
)
