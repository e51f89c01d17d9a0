"""Recipes for what goes into the model and what it is asked to give."""

from __future__ import annotations

from trainhealth.findings import Reference
from trainhealth.recipes.base import Recipe
from trainhealth.recipes.lectures import (
    OPTIMIZING,
    PRACTICAL_ASPECTS,
    REGULARIZATION,
    TRAINING_NETWORKS,
    UNDER_AND_OVERFITTING,
)

STANDARDIZE_INPUTS = Recipe(
    name="standardize-inputs",
    title="Give the inputs mean 0 and standard deviation 1",
    keywords=("normalize inputs", "feature scaling", "zero mean", "unit variance", "StandardScaler", "zero-centred"),
    what=(
        "Where one feature is 114.8 and another 0.00323, the gradients of their weights differ by the same factor: the "
        "loss has long, narrow ravines, and the rate that one weight bears is far too low for the other. Inputs that "
        "are all positive push all weights of a unit the same way. Subtract the mean of the training split and divide "
        "by its standard deviation, feature by feature; for images channel by channel."
    ),
    when="Inputs whose mean is far from 0 against their standard deviation, or features of different scales.",
    when_not=(
        "One-hot and embedding inputs, sparse data (scale without centring), and inputs that are standardized already."
    ),
    changes="The data pipeline. Mean and standard deviation come from the training split, and serve all splits.",
    cost="One pass over the training split.",
    snippet="""
mean = inputs.mean(dim=0)  # over the whole training split; for images [N, C, H, W]: dim=(0, 2, 3), keepdim=True
std = inputs.std(dim=0)
std[std == 0] = 1.0  # a constant feature stays 0
inputs = (inputs - mean) / std
validation_inputs = (validation_inputs - mean) / std  # the training split's numbers, never its own
""",
    verify="input_mean near 0 and input_std near 1, and a train_loss that falls faster at the same rate.",
    practice=(
        "For images the lectures centre only, by the mean image or per channel; dividing by the standard deviation per "
        "channel, as ResNet does, has become the rule. PCA and whitening are not common."
    ),
    sources=(
        Reference(
            PRACTICAL_ASPECTS,
            "The table 114.8 / 0.00323; centre inputs to zero mean and unit variance; after it the loss is less "
            "sensitive to small changes in weights",
        ),
        Reference(TRAINING_NETWORKS, "For images: centre only (AlexNet: mean image, VGG: mean per channel)"),
        Reference(
            'LeCun et al., "Efficient BackProp", 1998',
            "Convergence is faster when the mean of each input is near zero and variances are equal",
            "http://yann.lecun.com/exdb/publis/pdf/lecun-98b.pdf",
        ),
    ),
)

SCALE_TARGETS = Recipe(
    name="scale-targets",
    title="Give regression targets mean 0 and standard deviation 1",
    keywords=("standardize targets", "normalize targets", "regression", "large loss"),
    what=(
        "A fresh model answers near 0. Targets around 150 make the first losses and gradients thousands of times as "
        "large as they need be, and the output layer spends the first epochs on finding the mean. Train on "
        "standardized targets, and turn predictions back into the unit of the data afterwards."
    ),
    when="Regression on targets far from unit scale; an initial loss far above the variance of the targets.",
    when_not="Classification, counts and other targets whose unit the loss needs (Poisson).",
    changes="Targets before the loss, predictions after the model. The loss is in a new unit: compare with care.",
    cost="Two numbers to keep with the model.",
    snippet="""
target_mean, target_std = targets.mean(), targets.std()  # of the training split
targets = (targets - target_mean) / target_std
validation_targets = (validation_targets - target_mean) / target_std


def predict(x):
    return model(x) * target_std + target_mean  # in the unit of the data
""",
    verify="The initial mean squared error is about 1 (the variance of the targets), and training needs no tiny rate.",
    practice=(
        "The lectures speak of inputs only; the argument is the same on the other side. A bias of the output layer "
        "that starts at the mean of the targets is a smaller version of it."
    ),
    sources=(
        Reference(PRACTICAL_ASPECTS, "Weights of differently scaled values get updates of different size"),
        Reference(
            'Karpathy, "A Recipe for Training Neural Networks", 2019',
            "Initialize the final layer well: if values have a mean of 50, start the final bias at 50",
            "https://karpathy.github.io/2019/04/25/recipe/",
        ),
    ),
)

DATA_AUGMENTATION = Recipe(
    name="data-augmentation",
    title="Train on changed copies of the examples that keep their label",
    keywords=(
        "more data",
        "flips",
        "crops",
        "rotation",
        "color jitter",
        "AutoAugment",
        "RandAugment",
        "input noise",
        "overfitting",
        "regularization",
    ),
    what=(
        "The best remedy against overfitting is more data; the cheapest is to make it. Shift, crop, flip, rotate, "
        "scale or recolour each image anew whenever it is drawn, so that the model never sees the same one twice and "
        "learns what does not matter."
    ),
    when="Overfitting on images, sound or text, where changes that keep the label are known.",
    when_not=(
        "Changes that alter the label: horizontal flips are right for objects and wrong for digits. Underfitting. And "
        "never on the validation split."
    ),
    changes="The training data loader or the first line of the training step; validation stays as it is.",
    cost="Some time in the data loader, and more epochs. train_loss is that of harder examples.",
    snippet="""
import torch


def shifted(image):  # [C, H, W], by up to one pixel each way
    padded = torch.nn.functional.pad(image, (1, 1, 1, 1))
    row, column = torch.randint(0, 3, (2,)).tolist()
    return padded[:, row : row + image.shape[1], column : column + image.shape[2]]


def augmented(images):
    return torch.stack([shifted(image) for image in images])


for _ in range(5):  # your training loop; the validation images stay as they are
    loss = loss_fn(model(augmented(inputs)), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
""",
    verify="The gap between train_loss and validation_loss narrows, and validation_loss turns up later or not at all.",
    practice=(
        "The lectures add colour jitter, PCA colour, cutout, mixup, CutMix and AutoAugment. In practice "
        "torchvision.transforms.v2 holds them; with strong augmentation validation_loss may lie below train_loss, "
        "which is no error."
    ),
    sources=(
        Reference(PRACTICAL_ASPECTS, "Almost always a good idea; horizontal flips for objects, not for digits"),
        Reference(UNDER_AND_OVERFITTING, "The best way to generalize better is to train on more data"),
        Reference(REGULARIZATION, "Cutout works very well for small data sets; mixup blends pairs of images"),
        Reference(OPTIMIZING, "Get creative for your problem: translation, rotation, stretching, shearing"),
        Reference(
            'Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018',
            "Training on blends of examples",
            "https://arxiv.org/abs/1710.09412",
        ),
    ),
)
