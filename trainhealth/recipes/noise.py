"""Recipes that regularize by randomness inside the model, beyond dropout of units."""

from __future__ import annotations

from trainhealth.findings import Reference
from trainhealth.recipes.base import Recipe
from trainhealth.recipes.lectures import OPTIMIZING, PRACTICAL_ASPECTS, REGULARIZATION, UNDER_AND_OVERFITTING

STOCHASTIC_DEPTH = Recipe(
    name="stochastic-depth",
    title="Skip random residual blocks while training",
    keywords=("DropPath", "layer drop", "regularization", "overfitting"),
    what=(
        "In each training step every residual block is left out with some probability: its input passes on unchanged. "
        "The network is shorter on average, so that gradients reach the first blocks, and it is an ensemble of "
        "networks of many depths. In evaluation all blocks take part."
    ),
    when="Deep residual networks and transformers that overfit.",
    when_not=(
        "Networks without residual connections, where leaving a layer out breaks the chain. Shallow ones; underfitting."
    ),
    changes="The forward of each residual block.",
    cost="Training is faster by the share of blocks that are skipped where a whole batch skips them; more epochs.",
    snippet="""
import torch
from torch import nn


class Skippable(nn.Module):
    def __init__(self, block, drop):
        super().__init__()
        self.block, self.drop = block, drop

    def forward(self, x):
        if not self.training:
            return x + self.block(x)
        kept = (torch.rand(len(x), device=x.device) >= self.drop).to(x.dtype) / (1 - self.drop)
        return x + kept.reshape(-1, *[1] * (x.ndim - 1)) * self.block(x)  # example by example


def keeps_its_width(layer):
    return isinstance(layer, nn.Linear) and layer.in_features == layer.out_features


same_width = [index for index, layer in enumerate(model) if keeps_its_width(layer)]
for number, index in enumerate(same_width, 1):
    drop = 0.2 * number / len(same_width)  # rising with depth, as in the paper
    model[index] = Skippable(model[index], drop)
""",
    verify="Two forward passes differ in training and agree in evaluation, and validation_loss turns up later.",
    practice=(
        "In the lectures and the paper the block is scaled at test time; the snippet scales while training, as dropout "
        "does. Libraries call it drop path (torchvision: ops.StochasticDepth); 0.1 to 0.2 is usual."
    ),
    sources=(
        Reference(OPTIMIZING, "Training: skip some layers in the network; testing: use all the layers"),
        Reference(REGULARIZATION, "The same, among the stochastic regularizers"),
        Reference(
            'Huang et al., "Deep Networks with Stochastic Depth", ECCV 2016',
            "The method, with probabilities that rise with depth",
            "https://arxiv.org/abs/1603.09382",
        ),
    ),
)

DROPCONNECT = Recipe(
    name="dropconnect",
    title="Drop random weights instead of units while training",
    keywords=("DropAll", "weight drop", "regularization", "overfitting"),
    what=(
        "Each weight of a layer is set to zero with some probability at each training step; in evaluation all are "
        "used. It is dropout one level below: more different sub-networks, since a unit keeps some of its inputs."
    ),
    when=(
        "Overfitting in wide fully connected layers; in recurrent networks on the hidden-to-hidden weights, where "
        "dropout of units harms the memory."
    ),
    when_not="Underfitting. Elsewhere dropout does the same at a lower price.",
    changes="The layers concerned.",
    cost="A mask as large as the weights at each step.",
    snippet="""
import torch
from torch import nn
from torch.nn.utils import parametrize


class DropWeights(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.p = p

    def forward(self, weight):
        return nn.functional.dropout(weight, self.p, training=self.training)  # scaled up, as inverted dropout


parametrize.register_parametrization(model[0], "weight", DropWeights(0.3))
optimizer = torch.optim.SGD(model.parameters(), lr=optimizer.param_groups[0]["lr"])
""",
    verify="Two forward passes differ in training and agree in evaluation, and validation_loss turns up later.",
    practice=(
        "The paper samples a mask for each example and approximates the output at test time; one mask a batch and "
        "scaled weights, as here, are usual. DropAll, which the lecture names too, drops units and weights."
    ),
    sources=(
        Reference(
            PRACTICAL_ASPECTS,
            "Training: drop connections between neurons (set weights to 0); testing: use all connections",
        ),
        Reference(REGULARIZATION, "DropConnect; DropAll generalizes dropout and DropConnect"),
        Reference(
            'Wan et al., "Regularization of Neural Networks using DropConnect", ICML 2013',
            "The method",
            "https://proceedings.mlr.press/v28/wan13.html",
        ),
        Reference(
            'Merity, Keskar, Socher, "Regularizing and Optimizing LSTM Language Models", ICLR 2018',
            "On the hidden-to-hidden weights",
            "https://arxiv.org/abs/1708.02182",
        ),
    ),
)

FRACTIONAL_POOLING = Recipe(
    name="fractional-pooling",
    title="Pool over random regions that shrink an image by less than a half",
    keywords=("fractional max pooling", "regularization", "overfitting"),
    what=(
        "Max pooling of 2 x 2 shrinks an image in rigid steps. Fractional max pooling draws the borders of its regions "
        "at random, for any ratio such as 0.7: the network sees slightly distorted images at each layer, and can be "
        "deeper."
    ),
    when="Overfitting in small convolutional networks on small images.",
    when_not=(
        "Networks that shrink by strided convolutions; where predictions must be the same each time and there is no "
        "time to average."
    ),
    changes="nn.FractionalMaxPool2d in place of nn.MaxPool2d; the sizes after it change.",
    cost="Larger feature maps. It stays random in evaluation: average several predictions.",
    snippet="""
import torch
from torch import nn

classes = model[-1].out_features
model = nn.Sequential(
    nn.Conv2d(inputs.shape[1], 16, 3, padding=1),
    nn.ReLU(),
    nn.FractionalMaxPool2d(2, output_ratio=0.7),  # 8 x 8 becomes 5 x 5
    nn.Conv2d(16, 16, 3, padding=1),
    nn.ReLU(),
    nn.AdaptiveAvgPool2d(2),
    nn.Flatten(),
    nn.Linear(64, classes),
)
optimizer = torch.optim.SGD(model.parameters(), lr=optimizer.param_groups[0]["lr"])


def predict(x, times=8):
    with torch.no_grad():
        return torch.stack([model(x).softmax(dim=1) for _ in range(times)]).mean(dim=0)
""",
    verify="Two forward passes differ; the mean of several predictions has a lower validation loss than single ones.",
    practice=(
        "Lecture and paper average over several regions at test time, which costs that many passes. It has remained "
        "rare."
    ),
    sources=(
        Reference(
            OPTIMIZING, "Training: use randomized pooling regions; testing: average predictions from several regions"
        ),
        Reference('Graham, "Fractional Max-Pooling", 2014', "The method", "https://arxiv.org/abs/1412.6071"),
    ),
)

WEIGHT_NOISE = Recipe(
    name="weight-noise",
    title="Add noise to the weights while training, for flat minima",
    keywords=("noise injection", "flat minima", "SAM", "regularization"),
    what=(
        "Gaussian noise on the weights at each training step makes the loss an average over a neighbourhood. Sharp "
        "minima have a high average, so training ends where the loss is flat around the weights, and small changes do "
        "no harm."
    ),
    when="Overfitting in recurrent networks; models that will be quantized or run on imprecise hardware.",
    when_not="Noisy gradients are the problem already. Underfitting.",
    changes="Noise on the layers concerned, in training only.",
    cost="Random numbers as many as weights at each step; a standard deviation to choose.",
    snippet="""
import torch
from torch import nn
from torch.nn.utils import parametrize


class Noisy(nn.Module):
    def __init__(self, std):
        super().__init__()
        self.std = std

    def forward(self, weight):
        return weight + self.std * torch.randn_like(weight) if self.training else weight


for layer in list(model.modules()):
    if isinstance(layer, nn.Linear):
        parametrize.register_parametrization(layer, "weight", Noisy(0.01))
optimizer = torch.optim.SGD(model.parameters(), lr=optimizer.param_groups[0]["lr"])
""",
    verify=(
        "The loss rises by less when the trained weights are disturbed, and validation_loss comes nearer to train_loss."
    ),
    practice=(
        "The lecture names it with noise on inputs and targets. Sharpness-aware minimization (SAM) looks for the worst "
        "neighbour instead of an average one, at twice the price."
    ),
    sources=(
        Reference(UNDER_AND_OVERFITTING, "Noise on the weights: find minima surrounded by flat regions"),
        Reference(
            'Graves, "Practical Variational Inference for Neural Networks", NIPS 2011',
            "Weight noise in recurrent networks",
            "https://papers.nips.cc/paper/4329-practical-variational-inference-for-neural-networks",
        ),
    ),
)
