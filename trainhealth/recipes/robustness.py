"""Recipes for inputs that are meant to mislead."""

from __future__ import annotations

from trainhealth.findings import Reference
from trainhealth.recipes.base import Recipe
from trainhealth.recipes.lectures import REGULARIZATION, UNDER_AND_OVERFITTING

ADVERSARIAL_TRAINING = Recipe(
    name="adversarial-training",
    title="Train on inputs that are moved a little in the direction that hurts most",
    keywords=("FGSM", "PGD", "robustness", "adversarial examples"),
    what=(
        "A step of size epsilon along the sign of the loss's gradient with respect to the input changes what no human "
        "would notice, and the model's answer. Training on such inputs as well makes the model locally constant around "
        "the data."
    ),
    when="Inputs may be chosen by an adversary; a model whose answers flip at small changes.",
    when_not="Plain accuracy is all that counts: it usually falls somewhat. Discrete inputs such as text.",
    changes="A second forward and backward for the attack, and the mean of two losses.",
    cost="Two to three times the time a step; stronger attacks (PGD) cost as many passes as they have steps.",
    snippet="""
import torch

epsilon = 0.1  # in units of the input


def attacked(x, y):  # fast gradient sign method
    moved = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss_fn(model(moved), y), moved)
    return (x + epsilon * gradient.sign()).detach()


for _ in range(100):  # your training loop
    loss = (loss_fn(model(inputs), targets) + loss_fn(model(attacked(inputs, targets)), targets)) / 2
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
""",
    verify=(
        "The loss on attacked inputs lies far below that of the same model without it, at a like loss on clean ones."
    ),
    practice=(
        "One lecture counts it as security that sometimes regularizes, the other as regularization. A single step can "
        "be overfitted (the loss is fooled, not the attack): measure with several steps."
    ),
    sources=(
        Reference(
            UNDER_AND_OVERFITTING,
            "Adversarial training encourages the network to be locally constant near the training data",
        ),
        Reference(
            REGULARIZATION, "Mostly intended to improve security, but can sometimes provide generic regularization"
        ),
        Reference(
            'Goodfellow, Shlens, Szegedy, "Explaining and Harnessing Adversarial Examples", ICLR 2015',
            "The fast gradient sign method and training with it",
            "https://arxiv.org/abs/1412.6572",
        ),
    ),
)
