"""Recipes for the training loop: calls that are missing or stand in the wrong place."""

from __future__ import annotations

from trainhealth.findings import Reference
from trainhealth.recipes.base import Recipe
from trainhealth.recipes.lectures import OPTIMIZING, PRACTICAL_ASPECTS, REGULARIZATION, TRAINING_NETWORKS

ZERO_GRADIENTS = Recipe(
    name="zero-gradients",
    title="Clear the gradients before each backward pass",
    keywords=("zero_grad", "gradients accumulate", "loss rises"),
    what=(
        "PyTorch adds each backward pass to the gradients that are there. Without zero_grad an update follows the sum "
        "of all gradients since the start: it grows with the number of steps, and points where the loss used to fall."
    ),
    when=(
        "Gradients that grow from step to step, or that are not zero before backward though none are accumulated on "
        "purpose."
    ),
    when_not="Gradient accumulation: there, clear them after each step of the optimizer, not after each backward pass.",
    changes="One line in the loop.",
    cost="None: setting gradients to None is faster than adding to them.",
    snippet="""
for _ in range(5):  # your training loop
    optimizer.zero_grad()  # first, or right after optimizer.step()
    loss = loss_fn(model(inputs), targets)
    loss.backward()
    optimizer.step()
""",
    verify="leftover_gradient_norm is 0, and gradient_norm no longer grows with the number of steps.",
    practice=(
        "The loop of the lectures computes each gradient anew, so the question does not arise there; in PyTorch it is "
        "the most common slip."
    ),
    sources=(
        Reference(OPTIMIZING, "The loop: compute the gradient of this batch, and update the parameters with it"),
        Reference(
            "PyTorch: Zeroing out gradients in PyTorch",
            "Gradients are accumulated on subsequent backward passes",
            "https://docs.pytorch.org/tutorials/recipes/recipes/zeroing_out_gradients.html",
        ),
    ),
)

CHECK_PARAMETER_GROUPS = Recipe(
    name="check-parameter-groups",
    title="See that the optimizer holds every trainable parameter",
    keywords=("weights do not change", "not training", "missing parameters"),
    what=(
        "An optimizer updates the tensors that it was given, and nothing else. A layer that was added or replaced "
        "later, or a copy of the model, gets gradients and never moves. Compare the two sets by identity."
    ),
    when=(
        "Parameters with a gradient that don't change; layers that were replaced after the optimizer was made; several "
        "models."
    ),
    when_not="Parameters that are frozen on purpose: set requires_grad to False, so that it shows.",
    changes=(
        "A check before training; the missing parameters in a group, or the optimizer made after the model is complete."
    ),
    cost="None.",
    snippet="""
held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
trainable = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
missing = {name: parameter for name, parameter in trainable.items() if id(parameter) not in held}
print("not in the optimizer:", list(missing) or "none")

if missing:
    optimizer.add_param_group({"params": list(missing.values())})
""",
    verify="Every trainable parameter has an update_ratio above 0.",
    practice=(
        "The lectures' code updates all weights by hand. Moving a model to a device is harmless for the optimizer in "
        "PyTorch; replacing a layer is not."
    ),
    sources=(
        Reference(
            TRAINING_NETWORKS, "Track the ratio of weight updates to weight magnitudes: neither huge nor very small"
        ),
        Reference(
            "PyTorch: torch.optim, constructing it",
            "The optimizer is given the parameters that it optimizes",
            "https://docs.pytorch.org/docs/stable/optim.html#constructing-it",
        ),
    ),
)

UNFREEZE_LAYERS = Recipe(
    name="unfreeze-layers",
    title="Let frozen layers learn again, at a tenth of the rate",
    keywords=("fine-tuning", "finetune", "frozen layers", "requires_grad", "discriminative rates"),
    what=(
        "A frozen layer keeps features that were learnt elsewhere, or were drawn at random. When the head has learnt "
        "what it can from them, unfreeze the last layers, then the rest, at a smaller rate, so that what they know is "
        "adapted and not destroyed."
    ),
    when="A pretrained model whose training loss has flattened too high; layers that are frozen by mistake.",
    when_not=(
        "Very little data that are very similar to those of the pretraining: keep the features and train the head "
        "alone."
    ),
    changes="requires_grad, and a parameter group with its own rate.",
    cost="Memory for gradients and optimizer state of the layers; more parameters to overfit.",
    snippet="""
frozen = [parameter for parameter in model.parameters() if not parameter.requires_grad]
for parameter in frozen:
    parameter.requires_grad = True
held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
rate = optimizer.param_groups[0]["lr"]
added = [parameter for parameter in frozen if id(parameter) not in held]
if added:
    optimizer.add_param_group({"params": added, "lr": rate / 10})
""",
    verify="The unfrozen layers have update ratios above 0 and below those of the head, and train_loss falls further.",
    practice=(
        "The lecture orders it by data: a few layers with some data, more layers with more, or with data that are less "
        "similar. Batch normalization in frozen layers should stay in evaluation mode."
    ),
    sources=(
        Reference(
            PRACTICAL_ASPECTS,
            "Quite a lot of data: fine-tune a few layers if similar, a larger number if very different",
        ),
        Reference(
            'Howard and Ruder, "Universal Language Model Fine-tuning for Text Classification", ACL 2018',
            "Gradual unfreezing and smaller rates for lower layers",
            "https://arxiv.org/abs/1801.06146",
        ),
    ),
)

TRAIN_AND_EVAL_MODE = Recipe(
    name="train-and-eval-mode",
    title="Call model.train() before training and model.eval() before evaluating",
    keywords=("model.eval", "model.train", "eval mode", "validation is odd", "BatchNorm bug"),
    what=(
        "Dropout and batch normalization do one thing in training and another in evaluation. In the wrong mode "
        "validation is measured on a crippled model with the statistics of its own batch, or training goes on without "
        "regularization and with statistics that stand still."
    ),
    when=(
        "Validation that is odd in any way; a model with dropout or batch normalization that was evaluated in training "
        "mode, or the reverse."
    ),
    when_not=(
        "Monte Carlo dropout, which samples in training mode on purpose; frozen batch normalization in fine-tuning."
    ),
    changes="Two calls an epoch, and no_grad around the evaluation.",
    cost="None. Without gradients evaluation needs less memory.",
    snippet="""
import torch

for epoch in range(5):
    model.train()  # at the start of every epoch, because evaluation ends in the other mode
    loss = loss_fn(model(inputs), targets)  # your epoch of training
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

    model.eval()
    with torch.no_grad():
        validation_loss = loss_fn(model(validation_inputs), validation_targets).item()
model.train()
""",
    verify="training_mode is 1 and evaluation_training_mode 0, and evaluating twice gives the same validation_loss.",
    practice=(
        "All lectures agree, and call it a very common source of bugs. eval() does not switch gradients off, and "
        "no_grad() does not switch the mode: both are needed."
    ),
    sources=(
        Reference(
            PRACTICAL_ASPECTS, "Behaves differently during training and testing: this is a very common source of bugs"
        ),
        Reference(REGULARIZATION, "At test time batch normalization uses running averages, and nothing is dropped"),
        Reference(
            "PyTorch: Autograd mechanics, evaluation mode",
            "eval() and no_grad() are independent",
            "https://docs.pytorch.org/docs/stable/notes/autograd.html#evaluation-mode-nn-module-eval",
        ),
    ),
)

RESUME_FROM_CHECKPOINT = Recipe(
    name="resume-from-checkpoint",
    title="Store and load optimizer and schedule together with the weights",
    keywords=("save and load", "restart", "state_dict", "loss jumps after resume"),
    what=(
        "The state of a run is more than the weights: Adam's moments, the velocity of SGD, the place in the schedule "
        "and the number of the epoch belong to it. With the weights alone, the first steps after a restart are taken "
        "with an optimizer that knows nothing, at the rate of the beginning."
    ),
    when="The loss jumps, or the learning rate changes, where a run was resumed.",
    when_not="Fine-tuning on other data, where a fresh optimizer and schedule are meant.",
    changes=(
        "What is stored and loaded. For exact repetition also the state of the random generators and of the data "
        "loader."
    ),
    cost="A checkpoint with Adam is three times as large as the weights.",
    snippet="""
import io

import torch

schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=100)
file = io.BytesIO()  # in your script: a path

# at the end of each epoch
parts = {"model": model, "optimizer": optimizer, "schedule": schedule}
torch.save({"epoch": 7} | {name: part.state_dict() for name, part in parts.items()}, file)

# when the run is resumed, after model, optimizer and schedule were made as before
file.seek(0)
state = torch.load(file, weights_only=True)
for name, part in parts.items():
    part.load_state_dict(state[name])
first_epoch = state["epoch"] + 1
""",
    verify="train_loss and learning_rate go on after the restart where they were before it.",
    practice=(
        "The lectures keep a copy of the best weights, which is enough for testing and not for resuming. Write to a "
        "new file and rename it, so that a crash while storing leaves the old one."
    ),
    sources=(
        Reference(
            OPTIMIZING,
            "Bias correction, because the estimates of the first and second moment start at zero",
        ),
        Reference(
            "PyTorch tutorials: Saving and Loading Models",
            "A general checkpoint holds more than the model's state_dict",
            "https://docs.pytorch.org/tutorials/beginner/saving_loading_models.html",
        ),
    ),
)
