"""Recipes for how examples get to the model: order and speed."""

from __future__ import annotations

from trainhealth.findings import Reference
from trainhealth.recipes.base import Recipe
from trainhealth.recipes.lectures import PRACTICAL_ASPECTS, UNDER_AND_OVERFITTING

SHUFFLE_DATA = Recipe(
    name="shuffle-data",
    title="Draw the training examples in a new random order each epoch",
    keywords=("sorted data", "DataLoader shuffle", "order of the examples"),
    what=(
        "A batch's gradient stands for the whole data only if the batch is a random sample. In sorted data each batch "
        "holds one class: the model learns that class and forgets the one before, and the loss goes in waves with the "
        "period of an epoch."
    ),
    when="Data that are sorted by class, time or source; a loss or labels that repeat with the period of an epoch.",
    when_not="The validation split needs no order. Sequences within an example stay in order; shuffle the examples.",
    changes="One argument of the training data loader; with DistributedSampler, set_epoch at each epoch too.",
    cost="None; streams from disk need a shuffle buffer, or shuffled files.",
    snippet="""
from torch.utils.data import DataLoader, TensorDataset

loader = DataLoader(TensorDataset(inputs, targets), batch_size=32, shuffle=True)

for epoch in range(5):
    for batch_inputs, batch_targets in loader:
        loss = loss_fn(model(batch_inputs), batch_targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
""",
    verify="Batches hold a mixture of classes, and train_loss shows no wave with the period of an epoch.",
    practice=(
        "All agree; the lectures simply say: sample a minibatch. Sampling without replacement, epoch by epoch, as "
        "here, is a little better than with replacement."
    ),
    sources=(
        Reference(PRACTICAL_ASPECTS, "The loop begins with: sample a (mini-)batch of data"),
        Reference(UNDER_AND_OVERFITTING, "Algorithm 8.1: sample a minibatch of m examples from the training set"),
        Reference(
            "Goodfellow, Bengio, Courville, Deep Learning, section 8.1.3",
            "It is crucial that minibatches be selected randomly; shuffle at least once",
            "https://www.deeplearningbook.org/contents/optimization.html",
        ),
    ),
)

DATA_LOADER_WORKERS = Recipe(
    name="data-loader-workers",
    title="Load the next batches in other processes while the model trains",
    keywords=("slow training", "slow data loading", "DataLoader", "num_workers", "pin_memory", "GPU utilization"),
    what=(
        "With num_workers=0 the training process reads and augments each batch itself, and the device waits. Worker "
        "processes prepare batches ahead. pin_memory and non_blocking copies let the transfer to a GPU overlap with "
        "computation."
    ),
    when="A large share of each step passes before the forward pass begins, and data_share stays high.",
    when_not=(
        "Data that lie in memory as tensors already: workers would only copy them. Check first what is slow; decoding "
        "once and storing the result may be the better cure."
    ),
    changes=(
        "Arguments of the data loader. The script needs the main guard where processes are spawned (Windows, macOS)."
    ),
    cost="Memory and a process for each worker; randomness of numpy in workers needs a seed of its own.",
    snippet="""
import torch
from torch.utils.data import DataLoader, TensorDataset

loader = DataLoader(
    TensorDataset(inputs, targets),
    batch_size=64,
    shuffle=True,
    num_workers=2,  # begin with 2 to 4, and measure
    persistent_workers=True,  # they survive from epoch to epoch
    prefetch_factor=2,
    pin_memory=torch.cuda.is_available(),
)

for batch_inputs, batch_targets in loader:
    loss = loss_fn(model(batch_inputs), batch_targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
""",
    verify="data_share falls to a few per cent, and more steps are made in a second.",
    practice=(
        "The lectures do not speak of it: their data fit into memory. As many workers as cores is the upper end; more "
        "make it slower."
    ),
    sources=(
        Reference(PRACTICAL_ASPECTS, "Sampling a mini-batch is the first step of the training loop"),
        Reference(
            "PyTorch: torch.utils.data, single- and multi-process data loading",
            "What num_workers, pin_memory and persistent_workers do",
            "https://docs.pytorch.org/docs/stable/data.html",
        ),
    ),
)
