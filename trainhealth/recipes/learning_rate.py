"""Recipes for the learning rate: lower, raise, find it, and warm it up."""

from __future__ import annotations

from trainhealth.findings import Reference
from trainhealth.recipes.base import Recipe
from trainhealth.recipes.lectures import OPTIMIZING, PRACTICAL_ASPECTS, TRAINING_NETWORKS

LOWER_LEARNING_RATE = Recipe(
    name="lower-learning-rate",
    title="Lower the learning rate",
    keywords=("lr too high", "loss explodes", "loss diverges", "oscillating loss", "exploding gradients", "NaN loss"),
    what=(
        "A step that is too long for the curvature of the loss jumps over the valley and climbs the other side: the "
        "loss rises, gradients grow, and the next step is longer still. Dividing the rate shortens every step by the "
        "same factor. The measure is the update ratio, the length of a step over the length of the weights: about "
        "1e-3 is right, 1e-2 about okay."
    ),
    when=(
        "The loss rises, spikes or becomes NaN soon after the start, or update ratios of weights lie well above 1e-2. "
        "Divide by 10 while the run diverges, by 3 while it only oscillates."
    ),
    when_not=(
        "The loss is flat from the start and update ratios are small: the rate is too low already. Or the loss was NaN "
        "before the first update: then the data or the initialization is at fault."
    ),
    changes="One number, where the optimizer is made. Start again from the beginning: exploded weights do not recover.",
    cost="A lower rate needs more steps; a rate that is too low looks like a plateau.",
    snippet="""
for group in optimizer.param_groups:
    group["lr"] /= 10  # before the first step, and before a scheduler is made from this optimizer
""",
    verify="train_loss falls from the first steps on, and the update ratios of the weights come down to about 1e-3.",
    practice=(
        "The 1e-3 of the lectures is a rule of thumb for plain SGD in the middle of training. Adaptive optimizers "
        "start higher (Adam's first update is the rate itself in every element), and normalized layers bear more."
    ),
    sources=(
        Reference(
            TRAINING_NETWORKS,
            "On CIFAR-10 a rate of 3e-3 ends in an infinite cost in epoch 5; a high rate saturates ReLU units; updates "
            "should be about 1e-3 of the weights",
        ),
        Reference(OPTIMIZING, "A loss that explodes to Inf or NaN: rate too high or bad initialization"),
    ),
)

RAISE_LEARNING_RATE = Recipe(
    name="raise-learning-rate",
    title="Raise the learning rate",
    keywords=(
        "lr too low",
        "loss does not decrease",
        "loss does not fall",
        "slow training",
        "underfitting",
        "stuck loss",
    ),
    what=(
        "Where every step is tiny against the weights, the loss falls steadily and gets nowhere. The lectures' example "
        "trains for ten epochs at 1e-6 and the cost goes from 2.302576 to 2.302420. Raise the rate by 10, look at 100 "
        "steps, and repeat; stop at the largest rate that does not make the loss jump."
    ),
    when=(
        "train_loss barely changes or falls along a straight line, update ratios of weights lie far below 1e-3 (1e-5 "
        "or less), and the gradient is not small."
    ),
    when_not=(
        "The gradient itself vanishes (saturated units, vanishing activations): a higher rate multiplies nothing. Or "
        "the end of a decay, where small steps are meant."
    ),
    changes="One number, where the optimizer is made.",
    cost="None, until the rate is too high; then the loss jumps within some 100 steps, which is quickly seen.",
    snippet="""
for group in optimizer.param_groups:
    group["lr"] *= 10  # before a scheduler is made from this optimizer
""",
    verify="train_loss drops clearly within about 100 steps, and the update ratios of the weights rise to about 1e-3.",
    practice=(
        "In the lecture's example accuracy rose from 0.08 to 0.19 while the cost stood still: the scores moved by "
        "little, but in the right direction. Rising accuracy is no proof that the rate is right."
    ),
    sources=(
        Reference(TRAINING_NETWORKS, "Loss barely changing: the learning rate is probably too low"),
        Reference(
            OPTIMIZING, "Loss not going down: rate too low or bad initialization; good rates to try: 1e-1 to 1e-4"
        ),
    ),
)

FIND_LEARNING_RATE = Recipe(
    name="find-learning-rate",
    title="Find a learning rate that makes the loss drop within 100 steps",
    keywords=("lr finder", "range test", "which learning rate", "loss does not decrease", "loss does not fall"),
    what=(
        "Try a few rates, a factor of 10 apart, for about 100 steps each, from the same initial weights, and keep the "
        "one with the lowest loss. Then refine by factors of 3 around it. It is the third of the lectures' seven "
        "steps, after the initial loss has been checked and a small sample has been overfitted."
    ),
    when="A new model, data set, batch size or optimizer; or any doubt whether the rate is too high or too low.",
    when_not="A published recipe for this model and data exists and works: start from its numbers.",
    changes="Nothing that stays: the search runs on copies before training, and sets the rate that it found.",
    cost="400 steps in all. The best rate for 100 steps is often a little too high for the whole run.",
    snippet="""
import copy
import math


def loss_after(rate, steps=100):
    # copied together, so that the copied optimizer updates the copied model
    trial, trial_optimizer = copy.deepcopy((model, optimizer))
    for group in trial_optimizer.param_groups:
        group["lr"] = rate
    for _ in range(steps):
        loss = loss_fn(trial(inputs), targets)  # in your script: the next batch of the loader
        trial_optimizer.zero_grad()
        loss.backward()
        trial_optimizer.step()
    return loss.item()


losses = {rate: loss_after(rate) for rate in (1e-1, 1e-2, 1e-3, 1e-4)}
finite = {rate: loss for rate, loss in losses.items() if math.isfinite(loss)}
best_rate = min(finite, key=finite.get)
for group in optimizer.param_groups:
    group["lr"] = best_rate
""",
    verify="With the rate that was found, train_loss drops clearly within the first 100 steps and does not jump.",
    practice=(
        "The lectures try four rates; a common variant raises the rate a little at every step of one run and takes a "
        "tenth of the rate at which the loss turns up (Smith). Search on a logarithmic scale either way, and move the "
        "range if the best rate is at its edge."
    ),
    sources=(
        Reference(
            OPTIMIZING,
            "Step 3: find a rate that makes the loss drop significantly within about 100 iterations; good rates to "
            "try: 1e-1, 1e-2, 1e-3, 1e-4",
        ),
        Reference(TRAINING_NETWORKS, "Search in log space; a best result at the edge of the range is worrying"),
        Reference(
            'Smith, "Cyclical Learning Rates for Training Neural Networks", WACV 2017',
            "The range test: raise the rate within one run and see where the loss turns",
            "https://arxiv.org/abs/1506.01186",
        ),
    ),
)

WARM_UP = Recipe(
    name="warm-up",
    title="Let the learning rate grow from almost nothing over the first steps",
    keywords=("lr warmup", "linear warmup", "loss spikes at the start", "large batch"),
    what=(
        "At the start the curvature is at its worst and an adaptive optimizer knows nothing of the gradients' scale, "
        "so a rate that is right later throws the model far away. A linear warm-up raises the rate from near 0 to its "
        "value over the first steps. The schedule that you have (cosine, steps) begins after it."
    ),
    when=(
        "The loss spikes or explodes within the first steps at full rate; large batches with a rate scaled up to "
        "match; transformers; Adam with its usual rate."
    ),
    when_not="The loss is healthy from the first step: a warm-up then only costs time. Or it explodes late in the run.",
    changes="A scheduler that is stepped after every optimizer step (not after every epoch).",
    cost="The warm-up's steps learn little: about half of them are lost.",
    snippet="""
import torch

warm_up_steps = 500  # the lectures: about 5,000 for large models; at most some per cent of the run
schedule = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=1 / warm_up_steps, total_iters=warm_up_steps)

for _ in range(5):  # your training loop
    loss = loss_fn(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()  # after every step
""",
    verify=(
        "No spike in train_loss over the first steps, update ratios that rise slowly, and the full rate at their end."
    ),
    practice=(
        "The lectures' 5,000 iterations come from large runs. What counts is the share: one to five per cent of all "
        "steps is usual today."
    ),
    sources=(
        Reference(
            PRACTICAL_ASPECTS,
            "High initial rates can make the loss explode; growing linearly from 0 over the first 5,000 or so "
            "iterations can prevent this; N times the batch, N times the rate",
        ),
        Reference(OPTIMIZING, "The same, and cosine decay after the warm-up"),
        Reference(
            'Goyal et al., "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour", 2017',
            "Warm-up makes the linear scaling of the rate with the batch work",
            "https://arxiv.org/abs/1706.02677",
        ),
    ),
)
