"""Recipes that add a penalty to the loss."""

from __future__ import annotations

from trainhealth.findings import Reference
from trainhealth.recipes.base import Recipe
from trainhealth.recipes.lectures import OPTIMIZING, PRACTICAL_ASPECTS, REGULARIZATION, UNDER_AND_OVERFITTING

ELASTIC_NET = Recipe(
    name="l1-l2-elastic-net",
    title="Add an L1, an L2 or both penalties on the weights to the loss",
    keywords=("lasso", "ridge", "L1", "L2", "weight penalty", "regularization", "overfitting", "sparse weights"),
    what=(
        "L2, the sum of squares, shrinks large weights most and leaves small ones. L1, the sum of absolute values, "
        "pulls all weights with the same force, so that those that the data do not ask for end at zero: the solution "
        "is sparse. The elastic net is their sum, which keeps correlated features together."
    ),
    when="Overfitting in a small model or a linear one; L1 where few of many features should matter.",
    when_not=(
        "L2 inside of Adam (AdamW's decay is meant there). Underfitting. Biases and scales of normalization layers are "
        "left out."
    ),
    changes="One term in the training loss; report the loss without it, or curves can't be compared.",
    cost="One pass over the weights a step, and one or two numbers to choose on a logarithmic scale.",
    snippet="""
l1, l2 = 1e-3, 1e-4  # 0 turns one of them off
weights = [parameter for parameter in model.parameters() if parameter.ndim >= 2]

for _ in range(300):  # your training loop
    data_loss = loss_fn(model(inputs), targets)
    penalty = sum(l1 * weight.abs().sum() + l2 * weight.square().sum() for weight in weights)
    loss = data_loss + penalty
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
""",
    verify="parameter_norm is lower, with L1 many weights lie near 0, and validation_loss comes nearer to train_loss.",
    practice=(
        "The lectures write lambda |w|^2 and lambda / 2 |w|^2: between the two lies a factor of 2. A gradient step "
        "makes weights small and not exactly zero; a threshold at the end (or a proximal step) does."
    ),
    sources=(
        Reference(REGULARIZATION, "L1, L2 and elastic net in common use; Laplace and Gaussian prior"),
        Reference(
            UNDER_AND_OVERFITTING,
            "L1 results in a solution that is more sparse; it is used for the selection of features",
        ),
        Reference(OPTIMIZING, "The same as weight decay for SGD, not for adaptive methods"),
        Reference(
            'Zou and Hastie, "Regularization and variable selection via the elastic net", 2005',
            "Both together",
            "https://doi.org/10.1111/j.1467-9868.2005.00503.x",
        ),
    ),
)

SPARSE_ACTIVATIONS = Recipe(
    name="sparse-activations",
    title="Add an L1 penalty on the activations, for sparse representations",
    keywords=("L1 on activations", "sparse autoencoder", "regularization"),
    what=(
        "The penalty acts on what units give, not on weights: each example is represented by few units that are "
        "active, and the others are near zero."
    ),
    when="Autoencoders and other models whose hidden representation is to be used or read; overfitting in wide layers.",
    when_not=(
        "Units that are dead already: the penalty kills more. Classification in general, where dropout does better."
    ),
    changes="A hook on the layer, or the activations returned from forward, and one term in the loss.",
    cost="None that can be measured; one number to choose.",
    snippet="""
strength = 1e-2
seen = []
handle = model[1].register_forward_hook(lambda module, args, output: seen.append(output))  # the layer to be sparse

for _ in range(200):  # your training loop
    seen.clear()
    outputs = model(inputs)
    loss = loss_fn(outputs, targets) + strength * seen[0].abs().mean(dim=0).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
handle.remove()
""",
    verify="zero_fraction of the layer rises and its mean falls, while the loss on the data stays near what it was.",
    practice=(
        "ReLU makes half of the outputs zero without any penalty. Today sparse autoencoders of this kind are used to "
        "read language models."
    ),
    sources=(
        Reference(
            UNDER_AND_OVERFITTING,
            "A penalty on the activations of the units, encouraging their activations to be sparse",
        ),
        Reference(
            "Goodfellow, Bengio, Courville, Deep Learning, section 7.10",
            "Sparse representations",
            "https://www.deeplearningbook.org/contents/regularization.html",
        ),
    ),
)

BOTTLENECK_LAYER = Recipe(
    name="bottleneck-layer",
    title="Factor a large layer through a narrow linear one",
    keywords=("low rank", "fewer parameters", "factorization", "overfitting"),
    what=(
        "A layer of a inputs and b outputs has a x b weights; through a linear layer of k units it has k (a + b). The "
        "model can represent less, which regularizes, and is smaller and faster."
    ),
    when="Overfitting in a layer that holds most parameters of the model, usually the first fully connected one.",
    when_not="Underfitting. Or k above a b / (a + b): then it has more weights than before.",
    changes="One layer is replaced by two, without an activation between them.",
    cost="A width to choose. Pretrained weights can be factored by their singular values, as here.",
    snippet="""
import torch
from torch import nn

width = 8
wide = model[0]  # the layer with most parameters
u, s, v = torch.linalg.svd(wide.weight.detach(), full_matrices=False)
narrow = nn.Linear(wide.in_features, width, bias=False)
expand = nn.Linear(width, wide.out_features)
with torch.no_grad():
    narrow.weight.copy_(s[:width, None].sqrt() * v[:width])
    expand.weight.copy_(u[:, :width] * s[:width].sqrt())
    expand.bias.copy_(wide.bias)
model = nn.Sequential(narrow, expand, *model[1:])
optimizer = torch.optim.SGD(model.parameters(), lr=optimizer.param_groups[0]["lr"])
""",
    verify="The model has fewer parameters, and validation_loss comes nearer to train_loss.",
    practice=(
        "Reducing parameters is the lecture's first regularizer. Practice prefers a large model with other "
        "regularization, and factors when the model has to be small."
    ),
    sources=(
        Reference(
            PRACTICAL_ASPECTS,
            "Reducing the number of parameters; a linear bottleneck layer is less expressive and may still generalize "
            "better",
        ),
        Reference(
            'Sainath et al., "Low-rank matrix factorization for deep neural network training", ICASSP 2013',
            "A third of the parameters without loss of accuracy",
            "https://doi.org/10.1109/ICASSP.2013.6638949",
        ),
    ),
)
