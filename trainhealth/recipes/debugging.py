"""Recipes that find out what is wrong before anything is changed."""

from __future__ import annotations

from trainhealth.findings import Reference
from trainhealth.recipes.base import Recipe
from trainhealth.recipes.lectures import OPTIMIZING, TRAINING_NETWORKS, UNDER_AND_OVERFITTING

CHECK_THE_LOSS = Recipe(
    name="check-the-loss",
    title="Check the initial loss, and overfit a small sample",
    keywords=(
        "sanity check",
        "initial loss",
        "log C",
        "overfit a small batch",
        "loss does not decrease",
        "loss does not fall",
        "does not learn",
    ),
    what=(
        "Two checks that take seconds. A classifier that knows nothing gives every class the same probability, so its "
        "cross-entropy is log C: 2.303 for ten classes. And a model that is put together rightly can learn twenty "
        "examples by heart; if it can't, something is broken, and no tuning will help."
    ),
    when="Before the first long run of a new model, loss or data set; whenever the initial loss is implausible.",
    when_not="Pretrained models, whose initial loss is lower for good reasons. Imbalanced classes start elsewhere too.",
    changes="Nothing that stays: the checks run before training, on a copy.",
    cost="Seconds.",
    snippet="""
import copy
import math

import torch

with torch.no_grad():
    outputs = model(inputs)
    initial_loss = loss_fn(outputs, targets).item()
expected_loss = math.log(outputs.shape[1])  # turn weight penalties in the loss off first
print(f"initial loss {initial_loss:.3f}, expected {expected_loss:.3f}")

trial, trial_optimizer = copy.deepcopy((model, optimizer))
for _ in range(200):
    loss = loss_fn(trial(inputs[:20]), targets[:20])
    trial_optimizer.zero_grad()
    loss.backward()
    trial_optimizer.step()
overfitted_loss = loss.item()
print(f"loss on 20 examples after 200 steps: {overfitted_loss:.4f}")
""",
    verify="An initial loss near log C, and a loss near 0 on the small sample.",
    practice=(
        "The lectures add a third check: a large weight penalty must raise the loss. A loss above log C by more than "
        "about a half usually means weights of the output layer that are too large, or inputs that are not scaled."
    ),
    sources=(
        Reference(
            OPTIMIZING, "Step 1: loss at initialization, log(C) for softmax; step 2: overfit 5 to 10 minibatches"
        ),
        Reference(
            TRAINING_NETWORKS,
            "Check the loss without regularization and with a large one; overfit 20 examples, because if that fails "
            "things are definitely broken",
        ),
    ),
)

FIND_FIRST_NONFINITE = Recipe(
    name="find-first-nonfinite",
    title="Find the layer or operation that gives the first NaN or infinity",
    keywords=("NaN loss", "infinite loss", "overflow", "inf", "anomaly detection"),
    what=(
        "A NaN spreads to everything within one step, so the loss says nothing about where it came from. Look at each "
        "layer's output in order of execution, and let autograd name the operation whose backward gives the first NaN. "
        "Then mend that place: a logarithm or division of zero, an overflow in half precision, a bad example."
    ),
    when="A loss that is NaN or infinite, in particular without a rise before it.",
    when_not="The loss rose over many steps first: then it diverged, and the rate is the place to begin.",
    changes="Nothing that stays: a few lines around one step, with the batch and the weights of that step.",
    cost="Anomaly detection makes a step several times slower: use it for the step in question only.",
    snippet="""
import torch

nonfinite = []


def look(name):
    def hook(module, args, output):
        if torch.is_tensor(output) and not output.isfinite().all():
            nonfinite.append(name)

    return hook


leaves = [(name, module) for name, module in model.named_modules() if not list(module.children())]
handles = [module.register_forward_hook(look(name)) for name, module in leaves]
if not inputs.isfinite().all():
    nonfinite.append("input")
with torch.autograd.set_detect_anomaly(True):  # backward then raises, and names the operation of the forward pass
    loss = loss_fn(model(inputs), targets)
    if loss.isfinite():
        loss.backward()
for handle in handles:
    handle.remove()
print("first non-finite output:", nonfinite[0] if nonfinite else "none")
""",
    verify="The first name printed is the place to mend; after that, every output and gradient of the step is finite.",
    practice=(
        "The lectures stop at the suspects: a rate that is too high, or a bad initialization (products of matrices "
        "with unit variance overflow after some 28 layers). In practice a logarithm of zero is next, or half precision."
    ),
    sources=(
        Reference(OPTIMIZING, "Loss explodes to Inf or NaN: rate too high, or bad initialization"),
        Reference(UNDER_AND_OVERFITTING, "100 products of 512 x 512 matrices of unit variance end in NaN"),
        Reference(
            "PyTorch: torch.autograd, anomaly detection",
            "The traceback of the forward operation that produced the failing gradient",
            "https://docs.pytorch.org/docs/stable/autograd.html#anomaly-detection",
        ),
    ),
)
