"""Recipes that cut from and blend training examples."""

from __future__ import annotations

from trainhealth.findings import Reference
from trainhealth.recipes.base import Recipe
from trainhealth.recipes.lectures import OPTIMIZING, PRACTICAL_ASPECTS, REGULARIZATION

CUTOUT = Recipe(
    name="cutout",
    title="Blank out a random square of each training image",
    keywords=("augmentation", "random erasing", "regularization", "overfitting"),
    what=(
        "Each time an image is drawn, a square of it at a random place is set to the mean (0 after standardization). "
        "The model can't rely on one telling part and learns to use the rest."
    ),
    when="Overfitting on small sets of images, such as CIFAR.",
    when_not="Objects that are smaller than the square; large data sets, where it hardly helps. Never in validation.",
    changes="A line before the forward pass in training.",
    cost="None; train_loss rises, and more epochs help.",
    snippet="""
import torch


def cut_out(images, size=3):  # [N, C, H, W], with mean 0
    n, _, height, width = images.shape
    row, column = torch.randint(height, (n, 1, 1)), torch.randint(width, (n, 1, 1))  # the centres
    rows, columns = torch.arange(height)[:, None], torch.arange(width)
    inside = ((rows - row).abs() <= size // 2) & ((columns - column).abs() <= size // 2)
    return images.masked_fill(inside[:, None], 0.0)


for _ in range(5):  # your training loop
    loss = loss_fn(model(cut_out(inputs)), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
""",
    verify="The gap between train_loss and validation_loss narrows, and validation_loss ends lower.",
    practice=(
        "One lecture predicts from several regions at test time; the paper, like the other lectures, uses the full "
        "image. A square of half the image's width suits CIFAR-10; torchvision has a relative of it, "
        "v2.RandomErasing."
    ),
    sources=(
        Reference(
            PRACTICAL_ASPECTS,
            "Works very well for small data sets like CIFAR, less common for large ones like ImageNet",
        ),
        Reference(
            OPTIMIZING, "Try cutout, mixup, CutMix, stochastic depth, label smoothing to squeeze out extra performance"
        ),
        Reference(
            'DeVries and Taylor, "Improved Regularization of Convolutional Neural Networks with Cutout", 2017',
            "The method",
            "https://arxiv.org/abs/1708.04552",
        ),
    ),
)

MIXUP = Recipe(
    name="mixup",
    title="Train on blends of two examples and of their labels",
    keywords=("augmentation", "regularization", "overfitting", "blend images"),
    what=(
        "Two examples are added with weights lambda and 1 - lambda, and the model is asked for lambda of one label and "
        "1 - lambda of the other. Between the classes it then answers in between, instead of changing its mind "
        "abruptly: it is less sure and less sensitive to wrong labels."
    ),
    when="Overfitting of a classifier, in particular with few data or with some wrong labels.",
    when_not="Inputs whose sum means nothing (token numbers, categories); regression with sharp edges; underfitting.",
    changes="A few lines in the training step; validation uses the original examples.",
    cost="None a step. train_loss is that of blends: do not compare it with validation_loss.",
    snippet="""
import torch

alpha = 0.2  # lambda ~ Beta(alpha, alpha): mostly near 0 or 1; 1.0 gives all blends the same chance

for _ in range(5):  # your training loop
    share = torch.distributions.Beta(alpha, alpha).sample().item()
    partner = torch.randperm(len(inputs))
    blended = share * inputs + (1 - share) * inputs[partner]
    outputs = model(blended)
    loss = share * loss_fn(outputs, targets) + (1 - share) * loss_fn(outputs, targets[partner])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
""",
    verify="validation_loss turns up later or not at all; train_loss, on blends, stays well above 0.",
    practice=(
        "The lectures' picture is of 40 % cat and 60 % dog; with the paper's alpha of 0.2 to 0.4 most blends are "
        "nearly pure. torchvision has it as v2.MixUp, to be called on a batch."
    ),
    sources=(
        Reference(
            REGULARIZATION, "Randomly blend the pixels of pairs of training images; target label: cat 0.4, dog 0.6"
        ),
        Reference(PRACTICAL_ASPECTS, "Try cutout and mixup especially for small classification data sets"),
        Reference(
            'Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018',
            "The method",
            "https://arxiv.org/abs/1710.09412",
        ),
    ),
)

MANIFOLD_MIXUP = Recipe(
    name="manifold-mixup",
    title="Blend hidden representations instead of inputs",
    keywords=("augmentation", "regularization", "overfitting"),
    what=(
        "Mixup at a random layer: the batch runs up to that layer, its representation is blended with that of a "
        "shuffled copy, and the rest of the model is asked for the blended labels. Representations of a class draw "
        "together, and the regions between classes get low confidence."
    ),
    when="As mixup, where blends of inputs mean little but blends of features do.",
    when_not=(
        "Batch normalization between blended layers in small batches, whose statistics the blends change. Underfitting."
    ),
    changes="The forward pass in training: a layer is chosen, and its output blended.",
    cost="None a step; longer training.",
    snippet="""
import torch

alpha = 1.0  # the lecture's example: lambda uniform in 0 to 1
places = [0, 2]  # blend before these layers; 0 is the input itself

for _ in range(5):  # your training loop
    share = torch.distributions.Beta(alpha, alpha).sample().item()
    partner = torch.randperm(len(inputs))
    place = places[int(torch.randint(len(places), ()))]
    hidden = model[:place](inputs) if place else inputs
    outputs = model[place:](share * hidden + (1 - share) * hidden[partner])
    loss = share * loss_fn(outputs, targets) + (1 - share) * loss_fn(outputs, targets[partner])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
""",
    verify="validation_loss turns up later or not at all, and is at most that of mixup.",
    practice="The lecture takes two batches; one batch and a permutation of it, as here, is what implementations do.",
    sources=(
        Reference(
            REGULARIZATION,
            "The five steps; lambda ~ Beta(alpha, alpha), alpha = 1 is uniform; smoother boundaries, flatter "
            "representations",
        ),
        Reference(
            'Verma et al., "Manifold Mixup: Better Representations by Interpolating Hidden States", ICML 2019',
            "The method",
            "https://arxiv.org/abs/1806.05236",
        ),
    ),
)

CUTMIX = Recipe(
    name="cutmix",
    title="Paste a rectangle of one training image into another, and mix the labels by area",
    keywords=("augmentation", "regularization", "overfitting", "blend images"),
    what=(
        "Cutout leaves a blank, mixup makes ghosts. CutMix fills the rectangle with that part of another image, and "
        "asks for labels in proportion to the areas: no pixel is wasted, and every region has to tell what it shows."
    ),
    when="Overfitting in the classification of images, in particular with larger networks.",
    when_not="Images whose label depends on one small part, which the rectangle may cover. Validation. Underfitting.",
    changes="A few lines in the training step.",
    cost="None a step; longer training. train_loss is that of mixtures.",
    snippet="""
import torch


def rectangle(height, width):  # a share of about 1 - lambda of the image, lambda uniform
    side = (1 - torch.rand(()).item()) ** 0.5
    row, column = int(torch.randint(height, ())), int(torch.randint(width, ()))
    half_height, half_width = int(height * side) // 2, int(width * side) // 2
    rows = slice(max(row - half_height, 0), min(row + half_height, height))
    return rows, slice(max(column - half_width, 0), min(column + half_width, width))


for _ in range(5):  # your training loop; inputs are images [N, C, H, W]
    partner = torch.randperm(len(inputs))
    rows, columns = rectangle(*inputs.shape[2:])
    mixed = inputs.clone()
    mixed[:, :, rows, columns] = inputs[partner][:, :, rows, columns]
    share = 1 - mixed[0, 0, rows, columns].numel() / inputs[0, 0].numel()  # what is left of the first image
    outputs = model(mixed)
    loss = share * loss_fn(outputs, targets) + (1 - share) * loss_fn(outputs, targets[partner])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
""",
    verify="validation_loss turns up later or not at all; train_loss, on mixtures, stays well above 0.",
    practice=(
        "The lecture's slide says blends of images, as for mixup; it is a replacement of pixels. Recipes for ImageNet "
        "use mixup and CutMix in turn. torchvision has it as v2.CutMix, to be called on a batch."
    ),
    sources=(
        Reference(
            OPTIMIZING, "Replace random crops of one image with another, e.g. 60 % of pixels from cat, 40 % from dog"
        ),
        Reference(
            'Yun et al., "CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features", ICCV '
            "2019",
            "The method",
            "https://arxiv.org/abs/1905.04899",
        ),
    ),
)
