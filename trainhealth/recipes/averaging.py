"""Recipes that average: weights, snapshots of one run, or several models."""

from __future__ import annotations

from trainhealth.findings import Reference
from trainhealth.recipes.base import Recipe
from trainhealth.recipes.lectures import OPTIMIZING

WEIGHT_AVERAGING = Recipe(
    name="weight-averaging",
    title="Evaluate a moving average of the weights (Polyak averaging)",
    keywords=("EMA", "exponential moving average", "SWA", "Polyak", "stochastic weight averaging"),
    what=(
        "At the end of training the weights bounce around a minimum, because every batch pulls elsewhere. Their moving "
        "average lies nearer to its middle. Training goes on with the weights as they are; validation and test use the "
        "average."
    ),
    when=(
        "A validation loss that jitters from evaluation to evaluation while its trend is flat; small batches; GANs and "
        "diffusion models."
    ),
    when_not=(
        "A rate that decays to zero does the same work. Early in a run the average lags behind by some hundreds of "
        "steps."
    ),
    changes="An update of the average after each step, and the averaged model in evaluation.",
    cost="A copy of the weights. Batch-norm statistics are averaged with use_buffers=True, as here, or counted anew.",
    snippet="""
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

decay = 0.995  # the average reaches back about 1 / (1 - 0.995) = 200 steps
averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)

for _ in range(200):  # your training loop
    loss = loss_fn(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    averaged.update_parameters(model)  # after every step

averaged.eval()
with torch.no_grad():
    validation_loss = loss_fn(averaged(validation_inputs), validation_targets).item()
""",
    verify=(
        "validation_loss of the average moves much less from evaluation to evaluation, and lies lower at a high rate."
    ),
    practice=(
        "The lecture's 0.995 reaches back 200 steps; long runs take 0.999 or 0.9999. Averaging over the last epochs "
        "with equal weights (SWA) is the same idea with other weights."
    ),
    sources=(
        Reference(
            OPTIMIZING,
            "Keep a moving average of the parameter vector, 0.995 x_test + 0.005 x, and use that at test time",
        ),
        Reference(
            'Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992',
            "The average converges faster than the iterates",
            "https://doi.org/10.1137/0330046",
        ),
        Reference(
            'Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization", UAI 2018',
            "Equal weights over the end of a run",
            "https://arxiv.org/abs/1803.05407",
        ),
    ),
)

SNAPSHOT_AVERAGING = Recipe(
    name="snapshot-averaging",
    title="Average the predictions of snapshots at the ends of several cosine cycles",
    keywords=("snapshot ensembles", "SGDR", "warm restarts", "cyclic learning rate"),
    what=(
        "A schedule with restarts lets one run settle into several minima: at the end of each cycle the rate is almost "
        "zero and the model good; the restart throws it out again. The mean of the snapshots' predictions is an "
        "ensemble for the price of one training."
    ),
    when="The last per cent counts and there is time for one run only.",
    when_not=(
        "Prediction must be cheap: each snapshot is a model to run (weight averaging gives one). Or cycles are so "
        "short that no snapshot is good."
    ),
    changes="The schedule, a copy of the weights at the end of each cycle, and a mean over them in prediction.",
    cost="Prediction takes as many times as long as there are snapshots.",
    snippet="""
import copy

import torch

cycle, cycles = 40, 3  # steps
schedule = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=cycle)
snapshots = []
for step in range(cycle * cycles):  # your training loop
    loss = loss_fn(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
    if (step + 1) % cycle == 0:  # before the rate goes up again
        snapshots.append(copy.deepcopy(model).eval())


def predict(x):
    with torch.no_grad():
        return torch.stack([snapshot(x).softmax(dim=1) for snapshot in snapshots]).mean(dim=0)
""",
    verify="The validation loss of the mean is no higher than the mean of the snapshots' validation losses.",
    practice=(
        "The lecture puts it after independent ensembles, which are better and cost a training each. Today weight "
        "averaging is more common, since its result is a single model."
    ),
    sources=(
        Reference(
            OPTIMIZING,
            "Use multiple snapshots of a single model during training; cyclic schedules make this work even better",
        ),
        Reference(
            'Huang et al., "Snapshot Ensembles: Train 1, Get M for Free", ICLR 2017',
            "The method",
            "https://arxiv.org/abs/1704.00109",
        ),
    ),
)

ENSEMBLE = Recipe(
    name="ensemble",
    title="Train several models and average their predictions",
    keywords=("bagging", "model averaging", "deep ensembles", "bootstrap"),
    what=(
        "Models that begin with other weights, or see other samples of the data (bagging), make different errors. The "
        "mean of their predicted probabilities is better than any of them, and more honest about doubt."
    ),
    when="The last one or two per cent count, and several times the computation at test time is affordable.",
    when_not="One model is not yet trained well: an ensemble of bad models is a bad model.",
    changes="A loop over seeds around the training; the mean of probabilities at test time.",
    cost="As many times the training and the prediction as there are members.",
    snippet="""
import copy

import torch

members = []
for seed in range(3):
    torch.manual_seed(seed)
    member = copy.deepcopy(model)
    for module in member.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()  # its own initial weights
    member_optimizer = torch.optim.AdamW(member.parameters(), lr=1e-2)
    sample = torch.randint(len(inputs), (len(inputs),))  # bagging: drawn with replacement
    for _ in range(30):
        loss = loss_fn(member(inputs[sample]), targets[sample])
        member_optimizer.zero_grad()
        loss.backward()
        member_optimizer.step()
    members.append(member.eval())


def predict(x):
    with torch.no_grad():
        return torch.stack([member(x).softmax(dim=1) for member in members]).mean(dim=0)
""",
    verify="The validation loss of the mean lies below the mean of the members' validation losses.",
    practice=(
        'The lecture promises "2 % extra performance". For networks other initial weights alone make members different '
        "enough; bagging costs each of them a third of the examples."
    ),
    sources=(
        Reference(
            OPTIMIZING, "Train multiple independent models, take the average of the predicted probability distributions"
        ),
        Reference(
            'Lakshminarayanan, Pritzel, Blundell, "Simple and Scalable Predictive Uncertainty Estimation using Deep '
            'Ensembles", NeurIPS 2017',
            "Random initialization suffices; bagging is not needed",
            "https://arxiv.org/abs/1612.01474",
        ),
    ),
)
