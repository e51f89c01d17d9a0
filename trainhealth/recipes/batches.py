"""Recipes for the size of the batch."""

from __future__ import annotations

from trainhealth.findings import Reference
from trainhealth.recipes.base import Recipe
from trainhealth.recipes.lectures import OPTIMIZING, PRACTICAL_ASPECTS, UNDER_AND_OVERFITTING

BATCH_SIZE = Recipe(
    name="batch-size",
    title="Take batches of 32 to 256 examples",
    keywords=("mini-batch", "minibatch size", "out of memory"),
    what=(
        "A batch's gradient is a mean over examples, and its error falls with the square root of their number: a "
        "hundred times the examples, a tenth of the noise. Below some tens of examples noise rules, above some "
        "hundreds most of the additional work is wasted. Powers of two suit the hardware."
    ),
    when=(
        "Steps that mostly disagree with each other (noisy gradients), batch normalization with few examples, or a "
        "device that is not busy."
    ),
    when_not=(
        "Generalization is the problem: small batches regularize. Or memory is at its limit (accumulate gradients)."
    ),
    changes="One argument of the data loader, and the learning rate with it: in proportion for SGD.",
    cost="Memory in proportion. Larger batches make fewer steps an epoch.",
    snippet="""
from torch.utils.data import DataLoader, TensorDataset

loader = DataLoader(TensorDataset(inputs, targets), batch_size=64, shuffle=True, drop_last=True)

for epoch in range(5):
    for batch_inputs, batch_targets in loader:
        loss = loss_fn(model(batch_inputs), batch_targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
""",
    verify=(
        "The noise of train_loss falls with the square root of the batch size, and the loss after an epoch is no worse."
    ),
    practice=(
        "The lecture's 32 to 256 is a good range for one device. Large models train with thousands, where the useful "
        "size grows with the noise of the gradient (McCandlish et al.)."
    ),
    sources=(
        Reference(
            UNDER_AND_OVERFITTING,
            "The standard error sigma / sqrt(n); powers of two from 32 to 256; small batches can offer a regularizing "
            "effect",
        ),
        Reference(
            'McCandlish et al., "An Empirical Model of Large-Batch Training", 2018',
            "The gradient noise scale tells the largest useful batch",
            "https://arxiv.org/abs/1812.06162",
        ),
    ),
)

SCALE_RATE_WITH_BATCH = Recipe(
    name="scale-rate-with-batch",
    title="Multiply the rate by N when the batch grows by N, and warm up",
    keywords=("linear scaling rule", "large batch", "lr"),
    what=(
        "N small steps with nearly the same gradient go about as far as one step at N times the rate. So when the "
        "batch grows by N, an epoch has N times fewer steps, and each must be N times as long. At the start, where the "
        "gradient changes quickly, that is not so: hence the warm-up."
    ),
    when="The batch size changes, for instance because more devices take part, and a rate that worked is known.",
    when_not=(
        "Adam and its relatives, where the square root of N is nearer the truth. And beyond some thousands of examples "
        "no rule holds."
    ),
    changes="The rate, and a warm-up at the beginning.",
    cost="None; above a certain batch size training becomes unstable all the same.",
    snippet="""
import torch

old_batch_size, batch_size = 64, len(inputs)
for group in optimizer.param_groups:
    group["lr"] *= batch_size / old_batch_size
warm_up_steps = 20
schedule = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=1 / warm_up_steps, total_iters=warm_up_steps)

for _ in range(warm_up_steps):  # the beginning of your training loop
    loss = loss_fn(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()  # after every step
""",
    verify="train_loss after each epoch is that of the run with small batches, in N times fewer steps.",
    practice=(
        "It is an empirical rule of thumb in the lectures, too. For SGD it holds up to a batch of about 8,000 on "
        "ImageNet (Goyal et al.)."
    ),
    sources=(
        Reference(PRACTICAL_ASPECTS, "If you increase the batch size by N, also scale the initial learning rate by N"),
        Reference(OPTIMIZING, "The same, with linear warm-up over the first 5,000 or so iterations"),
        Reference(
            'Goyal et al., "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour", 2017',
            "The linear rule, with warm-up, up to batches of 8,192",
            "https://arxiv.org/abs/1706.02677",
        ),
    ),
)

GRADIENT_ACCUMULATION = Recipe(
    name="gradient-accumulation",
    title="Add up the gradients of several small batches before each step",
    keywords=("micro-batch", "out of memory", "larger batch", "noisy gradients"),
    what=(
        "Gradients add: four batches of 16, each with its loss divided by 4, leave the same gradient as one batch of "
        "64. Memory is needed for 16 examples only."
    ),
    when="Batches so small that gradients are mostly noise, because memory allows no larger ones.",
    when_not=(
        "Memory is there: one larger batch is faster. Batch normalization still sees the small batches (use group or "
        "layer normalization)."
    ),
    changes="The loss is divided, and step and zero_grad are called after every few batches.",
    cost="None a step beyond the additional batches; fewer steps an epoch.",
    snippet="""
parts = 4  # batches a step

for _ in range(5):  # your training loop
    optimizer.zero_grad()
    for part_inputs, part_targets in zip(inputs.chunk(parts), targets.chunk(parts)):
        loss = loss_fn(model(part_inputs), part_targets) / parts  # the mean, not the sum
        loss.backward()
    optimizer.step()
""",
    verify="gradient_norm varies less from step to step, and equals that of one batch of all the parts.",
    practice=(
        "The lecture gives the reason (a mean of n has an error of sigma / sqrt(n)) and memory as the limit; "
        "accumulation is how practice gets around it. With losses that average over tokens, divide by the tokens of "
        "the whole step."
    ),
    sources=(
        Reference(
            UNDER_AND_OVERFITTING,
            "Memory scales with the batch size and is the limiting factor for many hardware setups",
        ),
        Reference(
            "PyTorch: Automatic Mixed Precision examples, gradient accumulation",
            "Scaling, dividing and stepping in the right order",
            "https://docs.pytorch.org/docs/stable/notes/amp_examples.html#gradient-accumulation",
        ),
    ),
)
