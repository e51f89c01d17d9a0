"""Recipes for inputs: removing correlation, and predicting from several views."""

from __future__ import annotations

from trainhealth.findings import Reference
from trainhealth.recipes.base import Recipe
from trainhealth.recipes.lectures import OPTIMIZING, PRACTICAL_ASPECTS, REGULARIZATION, TRAINING_NETWORKS

WHITEN_INPUTS = Recipe(
    name="whiten-inputs",
    title="Remove the correlation of the inputs by PCA, and scale each component",
    keywords=("PCA", "ZCA", "whitening", "decorrelate"),
    what=(
        "Correlated features make long, narrow ravines that scaling each feature can't remove. In the coordinates of "
        "the principal components features are uncorrelated; divided by their standard deviations, the loss of a "
        "linear layer is as round as it can be."
    ),
    when=(
        "Tabular data with strongly correlated features and a small model that trains slowly in spite of standardized "
        "inputs."
    ),
    when_not=(
        "Images, where neighbours matter and it is not done. Few examples against features: small components are "
        "noise, which it blows up."
    ),
    changes="The data pipeline; the transformation comes from the training split and serves all splits.",
    cost="An eigenvalue decomposition of the features' covariance.",
    snippet="""
import torch

mean = inputs.mean(dim=0)
covariance = torch.cov((inputs - mean).T)
values, vectors = torch.linalg.eigh(covariance)
kept = values > 1e-4 * values.max()  # components of nearly no variance are noise
whitening = vectors[:, kept] / values[kept].sqrt()
inputs = (inputs - mean) @ whitening
validation_inputs = (validation_inputs - mean) @ whitening  # the training split's numbers
model = torch.nn.Sequential(torch.nn.Linear(inputs.shape[1], 32), torch.nn.ReLU(), torch.nn.Linear(32, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
""",
    verify="The covariance of the inputs is the identity, and train_loss falls faster at the same rate.",
    practice=(
        "The lectures show it and say that it is not common. Batch normalization does a part of it at every layer."
    ),
    sources=(
        Reference(
            PRACTICAL_ASPECTS, "In practice, you may also see PCA and whitening of the data; not common for images"
        ),
        Reference(TRAINING_NETWORKS, "Not common to normalize variance, to do PCA or whitening for images"),
        Reference(
            'LeCun et al., "Efficient BackProp", 1998',
            "Decorrelated inputs of equal variance converge faster",
            "http://yann.lecun.com/exdb/publis/pdf/lecun-98b.pdf",
        ),
    ),
)

TEST_TIME_AUGMENTATION = Recipe(
    name="test-time-augmentation",
    title="Average the predictions for several crops of an image",
    keywords=("TTA", "multi-crop", "ten crops"),
    what=(
        "What was random in training is averaged out in testing: the model predicts for several crops, scales or flips "
        "of the image, and the mean of the probabilities is the answer."
    ),
    when="The last per cent counts, and the model was trained with the same changes.",
    when_not="Predictions must be fast. Changes that the model has not seen in training.",
    changes="The prediction only.",
    cost="As many forward passes as there are views.",
    snippet="""
import torch


def views(images):  # [N, C, H, W]: as it is, and moved by one pixel each way; add flips where they keep the label
    yield images
    for shift, axis in ((1, 2), (-1, 2), (1, 3), (-1, 3)):
        yield images.roll(shift, dims=axis)


def predict(images):
    model.eval()
    with torch.no_grad():
        return torch.stack([model(view).softmax(dim=1) for view in views(images)]).mean(dim=0)
""",
    verify="The validation loss of the mean lies below the mean of the views' validation losses.",
    practice=(
        "The lectures' ResNet takes five scales and ten crops of each. Usually two flips, or nothing, are worth their "
        "time."
    ),
    sources=(
        Reference(
            PRACTICAL_ASPECTS, "Testing: average a fixed set of crops; ResNet: five scales, ten 224 x 224 crops each"
        ),
        Reference(OPTIMIZING, "A common pattern: add randomness in training, average it out in testing"),
        Reference(REGULARIZATION, "The same crops and scales"),
        Reference(
            'He et al., "Deep Residual Learning for Image Recognition", CVPR 2016',
            "Results with averaged crops and scales",
            "https://arxiv.org/abs/1512.03385",
        ),
    ),
)
