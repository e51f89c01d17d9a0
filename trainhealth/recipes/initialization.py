"""Recipes for the weights and biases at step 0."""

from __future__ import annotations

from trainhealth.findings import Reference
from trainhealth.recipes.base import Recipe
from trainhealth.recipes.lectures import OPTIMIZING, PRACTICAL_ASPECTS, REGULARIZATION, TRAINING_NETWORKS

HE_INITIALIZATION = Recipe(
    name="he-initialization",
    title="Draw the weights with standard deviation sqrt(2 / fan_in), for ReLU",
    keywords=(
        "Kaiming init",
        "weight initialization",
        "symmetry breaking",
        "vanishing activations",
        "loss does not decrease",
        "loss does not fall",
    ),
    what=(
        "A ReLU sets half of its inputs to zero and so halves their mean square. Weights with variance 2 / fan_in make "
        "up for it: the signal keeps its scale through any number of layers, and so does the gradient on the way back. "
        "fan_in is the number of inputs of a unit; for a convolution kernel height x kernel width x input channels."
    ),
    when=(
        "ReLU and its relatives in more than a few layers, where the standard deviation of the activations falls or "
        "grows with depth at step 0."
    ),
    when_not=(
        "tanh or no activation (Xavier), SELU (variance 1 / fan_in), pretrained weights, and the output layer, which "
        "should start small so that the initial loss is log C."
    ),
    changes="The initialization, once, after the model is made and before the optimizer's first step.",
    cost="None.",
    snippet="""
from torch import nn

for module in model.modules():
    if isinstance(module, (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
""",
    verify="activation_std at step 0 is about the same in the first and in the last hidden layer.",
    practice=(
        "One of the lectures prints this as a division by sqrt(2 / fan_in), which would make the signal explode; its "
        "own statistics (0.83, 0.83, 0.81 … through ten layers) belong to a multiplication. PyTorch's default for "
        "linear and convolutional layers is smaller: its variance is 1 / (3 fan_in), a sixth of He's."
    ),
    sources=(
        Reference(REGULARIZATION, "ReLU correction: std = sqrt(2 / Din): activations are nicely scaled for all layers"),
        Reference(TRAINING_NETWORKS, "Ten ReLU layers: 0.825 to 0.845 with He, 0.582 to 0.026 with Xavier"),
        Reference(
            'He et al., "Delving Deep into Rectifiers", ICCV 2015',
            "The derivation for ReLU and its parametric form",
            "https://arxiv.org/abs/1502.01852",
        ),
    ),
)

XAVIER_INITIALIZATION = Recipe(
    name="xavier-initialization",
    title="Draw the weights with standard deviation about 1 / sqrt(fan_in), for tanh",
    keywords=("Glorot init", "weight initialization", "symmetry breaking", "vanishing activations", "saturated tanh"),
    what=(
        "A sum of fan_in independent terms has fan_in times the variance of one. Weights with variance 1 / fan_in keep "
        "the variance of the signal from layer to layer; with 0.01 it vanishes within a few layers, and with 1.0 tanh "
        "units saturate at once. Either way gradients are zero and nothing is learnt."
    ),
    when="tanh, sigmoid or linear layers whose activations vanish or saturate at step 0.",
    when_not="ReLU: it halves the mean square at every layer, and the signal vanishes again (He initialization).",
    changes="The initialization, once, after the model is made and before the optimizer's first step.",
    cost="None.",
    snippet="""
from torch import nn

for module in model.modules():
    if isinstance(module, (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)):
        nn.init.xavier_normal_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
""",
    verify="activation_std at step 0 stays within one order of magnitude through all layers, and nothing is saturated.",
    practice=(
        "The lectures use variance 1 / fan_in; the paper and PyTorch use 2 / (fan_in + fan_out), a compromise between "
        "the way forward and the way back. With tanh the signal still shrinks slowly (0.63 to 0.23 over ten layers): "
        'PyTorch offers gain=nn.init.calculate_gain("tanh"), 5/3, against it.'
    ),
    sources=(
        Reference(
            TRAINING_NETWORKS,
            "Ten tanh layers of 500: with 0.01 the std falls to 0, with 1.0 almost all units are saturated, with "
            "1 / sqrt(fan_in) it goes from 0.63 to 0.23",
        ),
        Reference(PRACTICAL_ASPECTS, "n Var(W) = 1 keeps the variance; for convolutions fan_in = size^2 x channels"),
        Reference(
            'Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010',
            "The derivation, forward and backward",
            "https://proceedings.mlr.press/v9/glorot10a.html",
        ),
    ),
)

SMALL_POSITIVE_BIAS = Recipe(
    name="small-positive-bias",
    title="Start the biases of ReLU layers at 0.01",
    keywords=("dead ReLU", "dying ReLU", "dead units", "bias initialization"),
    what=(
        "A ReLU unit whose input is negative for all data gives zero, gets no gradient and never changes again. A bias "
        "slightly above zero lets every unit fire for at least some examples at the start."
    ),
    when="ReLU units that are dead from step 0, with an initialization that is otherwise right.",
    when_not=(
        "Units that die later: then the rate is too high, and the bias at step 0 is long forgotten. Layers followed by "
        "batch normalization, which subtracts any bias again."
    ),
    changes="The initialization of biases, once.",
    cost="None.",
    snippet="""
from torch import nn

for module in model.modules():
    if isinstance(module, (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)) and module.bias is not None:
        nn.init.constant_(module.bias, 0.01)
""",
    verify="dead_fraction of the ReLU layers is lower in the first windows of sampled batches.",
    practice=(
        "The lecture says that people like to do it. Its effect is small where inputs are centred and weights follow "
        "He; zero is the usual choice today, and leaky ReLU is the surer remedy."
    ),
    sources=(
        Reference(
            TRAINING_NETWORKS,
            "Unlucky initialization may leave a unit outside of the data cloud; people like to initialize ReLU neurons "
            "with slightly positive biases (0.01)",
        ),
        Reference(OPTIMIZING, "Loss not going down: bad initialization is one of two suspects"),
    ),
)
