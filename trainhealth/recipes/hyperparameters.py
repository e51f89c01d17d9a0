"""Recipes for the search for hyperparameters."""

from __future__ import annotations

from trainhealth.findings import Reference
from trainhealth.recipes.base import Recipe
from trainhealth.recipes.lectures import OPTIMIZING, PRACTICAL_ASPECTS, TRAINING_NETWORKS

RANDOM_SEARCH = Recipe(
    name="random-search",
    title="Search at random on a logarithmic scale, coarse first, then finer",
    keywords=("hyperparameter tuning", "grid search", "coarse to fine", "log-uniform", "sweep"),
    what=(
        "Draw the learning rate and the weight decay log-uniformly, train each trial for a few epochs, and look where "
        "the good ones lie. Then draw again from that region and train longer. Random trials try as many values of "
        "each setting as there are trials; a grid of 25 tries five."
    ),
    when=(
        "A new model or data set, after the checks of the first steps: loss at the start, a small sample, a rate that "
        "works."
    ),
    when_not="One setting only, where a few values in factors of 3 do. Before the model trains at all.",
    changes="A loop around the training, with the settings drawn.",
    cost="As many short trainings as trials.",
    snippet="""
import copy
import math

import torch

fixed = torch.Generator().manual_seed(0)


def log_uniform(low, high):
    return math.exp(math.log(low) + torch.rand((), generator=fixed).item() * math.log(high / low))


def validation_loss_of(rate, decay, steps):
    trial = copy.deepcopy(model)
    trial_optimizer = torch.optim.AdamW(trial.parameters(), lr=rate, weight_decay=decay)
    for _ in range(steps):
        loss = loss_fn(trial(inputs), targets)
        trial_optimizer.zero_grad()
        loss.backward()
        trial_optimizer.step()
    with torch.no_grad():
        return loss_fn(trial(validation_inputs), validation_targets).item()


low, high = 1e-5, 1e-1
for steps in (10, 40):  # coarse, then finer and longer
    drawn = [(log_uniform(low, high), log_uniform(1e-5, 1e-1)) for _ in range(8)]
    trials = sorted((validation_loss_of(rate, decay, steps), rate, decay) for rate, decay in drawn)
    best_loss, best_rate, best_decay = trials[0]
    low, high = best_rate / 3, best_rate * 3  # around the best, beyond the old edge if it lay there
optimizer = torch.optim.AdamW(model.parameters(), lr=best_rate, weight_decay=best_decay)
""",
    verify="The best trials lie inside of the range and not at its edge, and the finer search finds a lower loss.",
    practice=(
        "In the lectures' table the best of 22 trials has a rate of 9.5e-4 in a range that ends at 1e-3: worrying, "
        "move the range. Tools that stop bad trials early (successive halving) do the coarse stage by themselves."
    ),
    sources=(
        Reference(
            TRAINING_NETWORKS, "Coarse to fine, in log space; the best result at the edge of the range is worrying"
        ),
        Reference(OPTIMIZING, "The seven steps; log-uniform on 1e-4 to 1e-1; weight decays to try: 1e-4, 1e-5, 0"),
        Reference(PRACTICAL_ASPECTS, "First stage a few epochs, second stage longer running time and finer search"),
        Reference(
            'Bergstra and Bengio, "Random Search for Hyper-Parameter Optimization", JMLR 2012',
            "Why random trials beat a grid",
            "https://jmlr.org/papers/v13/bergstra12a.html",
        ),
    ),
)

STOP_EXPLOSIONS = Recipe(
    name="stop-explosions",
    title="Break off when the loss is more than three times the first one",
    keywords=("loss explodes", "loss diverges", "abort"),
    what=(
        "A loss that has tripled does not come back to anything of use. In a search, ending such a trial at once saves "
        "its time for others."
    ),
    when="Any automatic search; long runs that nobody watches.",
    when_not=(
        "Losses that start near zero (pretrained models, reinforcement learning, adversarial training), where three "
        "times is nothing."
    ),
    changes="Two lines in the loop.",
    cost="None. A mean over some steps keeps a single bad batch from ending the run.",
    snippet="""
import math

first_loss, recent = None, None
for step in range(50):  # your training loop
    loss = loss_fn(model(inputs), targets)
    value = loss.item()
    first_loss = value if first_loss is None else first_loss
    recent = value if recent is None else 0.9 * recent + 0.1 * value
    if not math.isfinite(value) or recent > 3 * first_loss:
        stopped_at = step
        break
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
else:
    stopped_at = None
""",
    verify="Runs at a rate that is far too high end within some tens of steps; all others are not touched.",
    practice=("Both lectures give it as a tip for solvers. The rule diverging-loss looks at the same ratio."),
    sources=(
        Reference(PRACTICAL_ASPECTS, "If the cost is ever > 3 * original cost, break out early"),
        Reference(TRAINING_NETWORKS, "The same tip for detecting explosions in the solver"),
    ),
)
