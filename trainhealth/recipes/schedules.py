"""Recipes for lowering the learning rate in the course of a run."""

from __future__ import annotations

from trainhealth.findings import Reference
from trainhealth.recipes.base import Recipe
from trainhealth.recipes.lectures import OPTIMIZING, PRACTICAL_ASPECTS, UNDER_AND_OVERFITTING

LEARNING_RATE_SCHEDULE = Recipe(
    name="learning-rate-schedule",
    title="Lower the learning rate over the run: a short warm-up, then a cosine",
    keywords=("lr scheduler", "lr decay", "cosine annealing", "exponential decay", "one cycle", "constant rate"),
    what=(
        "Batches give noisy gradients, and the noise does not vanish at the minimum: at a constant rate the weights "
        "keep dancing around it, at a distance that grows with the rate. So start high, to get far, and end low, to "
        "settle. The cosine, alpha_0 (1 + cos(pi t / T)) / 2, does it with one number, the length of the run."
    ),
    when="A run at a constant rate whose loss has flattened or only jitters; any run of which you know the length.",
    when_not=(
        "The rate is wrong from the start: find it first. Or you don't know how long the run will be (decay on a "
        "plateau, inverse square root)."
    ),
    changes="A scheduler, stepped after every optimizer step; T is the number of steps of the whole run.",
    cost="None. A run that is stopped early ends at too high a rate; one that is continued begins at too low a rate.",
    snippet="""
import torch

steps, warm_up_steps = 200, 10  # of the whole run, and at most some per cent of them
schedule = torch.optim.lr_scheduler.SequentialLR(
    optimizer,
    [
        torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=1 / warm_up_steps, total_iters=warm_up_steps),
        torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps - warm_up_steps),
    ],
    milestones=[warm_up_steps],
)

for _ in range(steps):  # your training loop
    loss = loss_fn(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()  # after every step
""",
    verify="learning_rate ends near 0, and train_loss and validation_loss fall once more in the last third of the run.",
    practice=(
        "The lectures list step, cosine, linear, inverse square root, exponential, 1 / t and constant schedules and "
        "prefer none. With the same start and end they differ little; cosine and linear decay are the usual choices, "
        "and exponential and 1 / t have all but gone."
    ),
    sources=(
        Reference(
            OPTIMIZING,
            "Try the cosine schedule, very few hyperparameters; Adam often works ok even with a constant rate",
        ),
        Reference(PRACTICAL_ASPECTS, "The formulas of all schedules; linear warm-up over the first steps"),
        Reference(
            UNDER_AND_OVERFITTING,
            "SGD's estimator introduces noise that does not vanish at a minimum, so the rate must be lowered over time",
        ),
        Reference(
            'Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017',
            "The cosine schedule",
            "https://arxiv.org/abs/1608.03983",
        ),
    ),
)

STEP_DECAY = Recipe(
    name="step-decay",
    title="Divide the rate by 10 at a few fixed points, after the loss has flattened",
    keywords=("lr scheduler", "lr decay", "MultiStepLR", "StepLR", "loss plateaus"),
    what=(
        "Train at one rate until the loss is flat, divide it by 10, and go on: the loss drops at once, because the "
        "weights settle into the valley that they were bouncing in. The classical points for 100 epochs are 30, 60 and "
        "90."
    ),
    when=(
        "A loss that has reached a plateau at the present rate while the update ratios of the weights are still about "
        "1e-3."
    ),
    when_not=(
        "A loss that still falls: decayed too early, the run crawls on at a rate that is too low. Look at the curve of "
        "a run without decay first."
    ),
    changes="A scheduler, stepped after every epoch, with the points at which curves of earlier runs were flat.",
    cost="Points to choose, that a cosine does not have.",
    snippet="""
import torch

schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[30, 60, 90], gamma=0.1)

for epoch in range(100):
    loss = loss_fn(model(inputs), targets)  # your epoch of training
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()  # after every epoch
""",
    verify="train_loss drops visibly at each decay, and was flat before it.",
    practice=(
        "Both lectures quote ResNet's 30, 60 and 90; one of them also halves the rate every few epochs. If "
        "validation_loss does not drop with train_loss at a decay, the decay only sharpened overfitting."
    ),
    sources=(
        Reference(
            OPTIMIZING,
            "For ResNets, multiply the rate by 0.1 after epochs 30, 60 and 90; the quiz on curves: still falling when "
            "decayed, so decayed too early",
        ),
        Reference(PRACTICAL_ASPECTS, "Step decay: reduce the rate at a few fixed points, or by half every few epochs"),
        Reference(
            'He et al., "Deep Residual Learning for Image Recognition", CVPR 2016',
            "The rate is divided by 10 when the error plateaus",
            "https://arxiv.org/abs/1512.03385",
        ),
    ),
)

DECAY_ON_PLATEAU = Recipe(
    name="decay-on-plateau",
    title="Lower the rate whenever the validation loss stops improving",
    keywords=("ReduceLROnPlateau", "lr scheduler", "loss plateaus"),
    what=(
        "It finds the points of a step decay by itself: when the validation loss has not improved for some "
        "evaluations, the rate is multiplied by 0.1, and patience begins anew."
    ),
    when="The length of the run is open, or nobody knows when the loss will flatten.",
    when_not=(
        "A validation loss that rises while the training loss falls: that is overfitting, and a lower rate does not "
        "cure it. With few validation examples, noise triggers it: raise the patience."
    ),
    changes="A scheduler that is given the validation loss after each evaluation.",
    cost="An evaluation an epoch. It waits out its patience before each decay.",
    snippet="""
import torch

schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.1, patience=5)

for epoch in range(300):
    model.train()
    loss = loss_fn(model(inputs), targets)  # your epoch of training
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

    model.eval()
    with torch.no_grad():
        validation_loss = loss_fn(model(validation_inputs), validation_targets)
    schedule.step(validation_loss)
""",
    verify="learning_rate falls in steps, each after a flat stretch of validation_loss, and the loss drops after it.",
    practice=(
        "The lecture's quiz asks for it when the loss reaches a plateau. A cosine of known length usually ends at "
        "least as low; this one needs no length."
    ),
    sources=(
        Reference(OPTIMIZING, "The quiz on learning curves: the loss reaches a plateau, so decay the rate"),
        Reference(
            PRACTICAL_ASPECTS, "Validation error fluctuates: to determine when it has levelled off can be tricky"
        ),
    ),
)

EXPONENTIAL_DECAY = Recipe(
    name="exponential-decay",
    title="Lower the rate by a few per cent each epoch: exponential or 1 / t decay",
    keywords=("ExponentialLR", "lr scheduler", "lr decay", "inverse time decay", "1/t", "1/t decay"),
    what=(
        "The rate is multiplied by the same factor after every epoch, alpha_0 e^(-k t), or divided by 1 + k t, which "
        "falls as fast at first and far more slowly later. There are no points to choose and no end to know, but a "
        "speed: k of 0.05 an epoch makes a tenth of the rate after 46 epochs, and of 1 / t a third."
    ),
    when="The end of the run is open, and the loss falls and flattens slowly, without a clear plateau.",
    when_not=(
        "The length of the run is known: a cosine or a line ends lower. Too large a k stops a run half way: the rate "
        "is next to nothing while the loss could still fall."
    ),
    changes="A scheduler, stepped after every epoch.",
    cost="One number to choose, k; it is easily too large.",
    snippet="""
import math

import torch

k = 0.05  # an epoch
schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=math.exp(-k))
# 1 / t: torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 1 / (1 + k * epoch))

for epoch in range(100):
    loss = loss_fn(model(inputs), targets)  # your epoch of training
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()  # after every epoch
""",
    verify="learning_rate halves every 0.69 / k epochs, and train_loss loses its jitter without coming to a stop.",
    practice=(
        "The lecture gives both formulas beside step decay. Both have all but gone: where the length of the run is "
        "known, a cosine has one number less to choose (recipe learning-rate-schedule)."
    ),
    sources=(
        Reference(PRACTICAL_ASPECTS, "Exponential decay, alpha_0 e^(-k t), and 1 / t decay, alpha_0 / (1 + k t)"),
        Reference(
            "PyTorch: torch.optim.lr_scheduler.ExponentialLR",
            "Decays the learning rate of each parameter group by gamma every epoch",
            "https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ExponentialLR.html",
        ),
    ),
)

LINEAR_DECAY = Recipe(
    name="linear-decay",
    title="Lower the rate in a straight line to one per cent, and keep it there",
    keywords=("lr scheduler", "lr decay", "polynomial decay"),
    what=(
        "eps_k = (1 - a) eps_0 + a eps_tau with a = min(1, k / tau): the rate falls from its first value to about one "
        "per cent of it over tau steps and stays there. It is the simplest schedule that lets SGD settle and does not "
        "end at zero."
    ),
    when="Training with SGD for a known number of steps, and fine-tuning of pretrained transformers.",
    when_not="The run is shorter than tau: then it ends at a rate that is too high.",
    changes="A scheduler, stepped after every optimizer step.",
    cost="None.",
    snippet="""
import torch

tau = 150  # steps until the rate is at its last value; most of the run
schedule = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=1.0, end_factor=0.01, total_iters=tau)

for _ in range(200):  # your training loop
    loss = loss_fn(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()  # after every step
""",
    verify="learning_rate falls along a line to one per cent, and train_loss loses its jitter towards the end.",
    practice=(
        "The lecture sets tau to a few hundred passes through the data and the end to 1 %. Language models decay "
        "linearly to 0 or to 10 % over the whole run, after a warm-up."
    ),
    sources=(
        Reference(UNDER_AND_OVERFITTING, "The formula; eps_tau should roughly be 1 % of eps_0"),
        Reference(OPTIMIZING, "Linear: alpha_t = alpha_0 (1 - t / T), as for BERT"),
    ),
)

INVERSE_SQUARE_ROOT_DECAY = Recipe(
    name="inverse-square-root-decay",
    title="Lower the rate with the square root of the step, when the end is open",
    keywords=("lr scheduler", "Noam", "transformer schedule", "rsqrt"),
    what=(
        "alpha_0 / sqrt(t) falls quickly at first and then ever more slowly, and needs no length of the run: it can be "
        "stopped, or go on, at any time."
    ),
    when="Long runs whose end is decided on the way, in particular transformers, together with a warm-up.",
    when_not="The length is known: a cosine or a line ends at a lower rate and at a lower loss.",
    changes="A scheduler, stepped after every optimizer step.",
    cost="None.",
    snippet="""
import torch

warm_up_steps = 10  # the lectures' 5,000 for large models


def factor(step):
    return min((step + 1) / warm_up_steps, (warm_up_steps / (step + 1)) ** 0.5)


schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)

for _ in range(90):  # your training loop
    loss = loss_fn(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()  # after every step
""",
    verify="learning_rate has its peak at the end of the warm-up, and a third of it after nine times as many steps.",
    practice=(
        "The lectures print alpha_0 / sqrt(t) alone; the transformer paper has the warm-up in the same formula, as "
        "here, which the first steps need."
    ),
    sources=(
        Reference(OPTIMIZING, "Inverse sqrt: alpha_t = alpha_0 / sqrt(t)"),
        Reference(
            'Vaswani et al., "Attention Is All You Need", 2017',
            "Warm-up, and then the inverse square root of the step",
            "https://arxiv.org/abs/1706.03762",
        ),
    ),
)
