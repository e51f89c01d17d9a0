"""Recipes for normalizing each example by itself, without the rest of its batch."""

from __future__ import annotations

from trainhealth.findings import Reference
from trainhealth.recipes.base import Recipe
from trainhealth.recipes.lectures import OPTIMIZING, PRACTICAL_ASPECTS, REGULARIZATION, TRAINING_NETWORKS

LAYER_NORMALIZATION = Recipe(
    name="layer-normalization",
    title="Normalize each example over its features",
    keywords=("LayerNorm", "RMSNorm", "transformer", "small batches"),
    what=(
        "Mean and standard deviation are taken over the features of one example instead of over the batch. So the size "
        "of the batch does not matter, there are no running averages, and training and evaluation compute the same."
    ),
    when=(
        "Recurrent networks and transformers; batches of a few examples; batch normalization whose running statistics "
        "don't fit."
    ),
    when_not=(
        "Convolutional networks with large batches, where batch normalization does better. Features whose common level "
        "means something: it is taken away."
    ),
    changes="Normalization layers: nn.LayerNorm over the last axis in place of nn.BatchNorm1d.",
    cost="Some per cent of time; two parameters a feature. It can't be fused away at test time.",
    snippet="""
from torch import nn

layers = []
for layer in model[:-1]:  # not after the output layer
    layers.append(layer)
    if isinstance(layer, nn.Linear):
        norm = nn.LayerNorm(layer.out_features)
        optimizer.add_param_group({"params": norm.parameters()})  # or make the optimizer after the model
        layers.append(norm)
model = nn.Sequential(*layers, model[-1])
""",
    verify=(
        "An example's output is the same whatever batch it is in, in training and in evaluation; activation_std is "
        "near 1."
    ),
    practice=(
        "The lectures show it as one of four ways to slice a batch. In transformers it stands before attention and "
        "before the feed-forward block (pre-norm); RMSNorm leaves the mean out."
    ),
    sources=(
        Reference(PRACTICAL_ASPECTS, "Same behaviour at train and test; can be used in recurrent networks"),
        Reference(TRAINING_NETWORKS, "Mean and standard deviation have shape N x 1"),
        Reference('Ba, Kiros, Hinton, "Layer Normalization", 2016', "The method", "https://arxiv.org/abs/1607.06450"),
    ),
)

GROUP_NORMALIZATION = Recipe(
    name="group-normalization",
    title="Normalize each image over groups of channels",
    keywords=("GroupNorm", "small batches"),
    what=(
        "The channels of one image are put into groups, and each group is normalized over its channels and positions. "
        "With one group it is layer normalization, with as many groups as channels instance normalization. Its error "
        "does not depend on the size of the batch."
    ),
    when=(
        "Convolutional networks with fewer than about 16 images a batch and device: detection, segmentation, video, "
        "large images."
    ),
    when_not="Batches of 32 and more: batch normalization is as good or better, and is fused away at test time.",
    changes=(
        "nn.GroupNorm in place of nn.BatchNorm2d. Pretrained weights were fitted to batch normalization: train anew or "
        "fine-tune."
    ),
    cost="Like batch normalization in training; a little time at test time.",
    snippet="""
import math

import torch
from torch import nn

for module in list(model.modules()):
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            groups = math.gcd(32, child.num_features)  # 32 groups where they divide the channels
            setattr(module, name, nn.GroupNorm(groups, child.num_features))
optimizer = torch.optim.SGD(model.parameters(), lr=optimizer.param_groups[0]["lr"])  # it has new parameters
""",
    verify=(
        "An image's output is the same alone and in a batch, and validation_loss no longer depends on the batch size."
    ),
    practice=(
        "The lectures name it without numbers; the paper's default is 32 groups. Groups of at least some channels work "
        "best."
    ),
    sources=(
        Reference(OPTIMIZING, "The comparison of normalization layers"),
        Reference(REGULARIZATION, "Batch, layer, instance and group normalization side by side"),
        Reference(
            'Wu and He, "Group Normalization", ECCV 2018',
            "At 2 images a batch its error is 10 points below that of batch normalization",
            "https://arxiv.org/abs/1803.08494",
        ),
    ),
)

INSTANCE_NORMALIZATION = Recipe(
    name="instance-normalization",
    title="Normalize each channel of each image, where contrast and style should not matter",
    keywords=("InstanceNorm", "style transfer"),
    what=(
        "Mean and standard deviation are taken over the positions of one channel of one image. That removes the "
        "image's contrast and brightness channel by channel, which is its style, and keeps where things are."
    ),
    when=(
        "Generation and translation of images, style transfer; images whose contrast varies for reasons that don't "
        "matter."
    ),
    when_not=(
        "Classification, where the strength of a channel carries meaning. Outputs of one position, whose standard "
        "deviation is 0."
    ),
    changes="nn.InstanceNorm2d after convolutions, before the activation.",
    cost="Like batch normalization. Without affine=True it has no parameters.",
    snippet="""
from torch import nn

layers = []
for layer in model:
    layers.append(layer)
    if isinstance(layer, nn.Conv2d):
        layers.append(nn.InstanceNorm2d(layer.out_channels, affine=True))
model = nn.Sequential(*layers)
optimizer.add_param_group({"params": [p for m in model if isinstance(m, nn.InstanceNorm2d) for p in m.parameters()]})
""",
    verify="An image of twice the contrast gives the same features after the first normalized convolution.",
    practice=(
        "The lectures cite it from the generation of textures; there it is still the standard, elsewhere it is rare."
    ),
    sources=(
        Reference(
            TRAINING_NETWORKS, "Normalization across the width and height of a single feature map of a single example"
        ),
        Reference(REGULARIZATION, "Same behaviour at train and test"),
        Reference(
            'Ulyanov, Vedaldi, Lempitsky, "Improved Texture Networks", CVPR 2017',
            "The method, for fast stylization",
            "https://arxiv.org/abs/1701.02096",
        ),
    ),
)

FILTER_RESPONSE_NORMALIZATION = Recipe(
    name="filter-response-normalization",
    title="Divide each channel by its root mean square, and learn the threshold",
    keywords=("FRN", "TLU", "small batches"),
    what=(
        "Like instance normalization without taking off the mean: each channel of each image is divided by its root "
        "mean square over the positions. The activation after it is a maximum with a learnt threshold (TLU) in place "
        "of ReLU's zero, since the mean is no longer centred."
    ),
    when="Convolutional networks with very small batches in which group normalization falls behind.",
    when_not=(
        "Fully connected layers, whose single position makes it a sign. Or where a well-known network with batch "
        "normalization does."
    ),
    changes="A module in place of normalization and activation.",
    cost="Three parameters a channel. PyTorch has no such layer: the snippet is it.",
    snippet="""
import torch
from torch import nn


class FilterResponseNorm(nn.Module):  # with its activation
    def __init__(self, channels, eps=1e-6):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.threshold = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x):  # [N, C, H, W]
        mean_square = x.square().mean(dim=(2, 3), keepdim=True)
        return torch.maximum(x * torch.rsqrt(mean_square + self.eps) * self.weight + self.bias, self.threshold)


layers = []
for layer in model:
    if isinstance(layer, nn.ReLU):
        norm = FilterResponseNorm(layers[-1].out_channels)
        optimizer.add_param_group({"params": norm.parameters()})
        layers.append(norm)
    else:
        layers.append(layer)
model = nn.Sequential(*layers)
""",
    verify="An image's output is the same alone and in a batch, and train_loss falls with batches of any size.",
    practice=(
        "One lecture names it as Google's newest of 2020. It has not become common; group normalization is the usual "
        "answer to small batches."
    ),
    sources=(
        Reference(REGULARIZATION, "Filter response normalization eliminates the dependence on the batch"),
        Reference(
            'Singh and Krishnan, "Filter Response Normalization Layer", CVPR 2020',
            "The method, with the thresholded linear unit",
            "https://arxiv.org/abs/1911.09737",
        ),
    ),
)
