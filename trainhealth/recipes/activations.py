"""Recipes for the choice of the activation function."""

from __future__ import annotations

from trainhealth.findings import Reference
from trainhealth.recipes.base import Recipe
from trainhealth.recipes.lectures import PRACTICAL_ASPECTS, TRAINING_NETWORKS

LEAKY_RELU = Recipe(
    name="leaky-relu",
    title="Replace ReLU by leaky ReLU",
    keywords=("dead ReLU", "dying ReLU", "dead units", "PReLU", "ELU", "Maxout"),
    what=(
        "ReLU has gradient zero for every negative input, so a unit that is negative for all data is dead for good. "
        "Leaky ReLU, max(0.01 x, x), keeps a small gradient there: a unit that was pushed out of the data finds back. "
        "PReLU learns the slope, ELU bends smoothly to a negative value, Maxout takes the larger of two linear "
        "functions, at twice the parameters; none of them dies."
    ),
    when="A large dead fraction that comes back after the rate was lowered and the initialization was repaired.",
    when_not=(
        "Units die because the rate is far too high: lower it first, or the leak only hides it. Nor for weights "
        "pretrained with ReLU."
    ),
    changes="The activation modules of the model; where forward calls F.relu, write F.leaky_relu(x, 0.01) there.",
    cost="None that can be measured. Outputs are no longer exactly sparse.",
    snippet="""
from torch import nn

for module in list(model.modules()):
    for name, child in module.named_children():
        if isinstance(child, nn.ReLU):
            setattr(module, name, nn.LeakyReLU(0.01))
""",
    verify="Every unit's parameters get a gradient, and no unit gives the same value for all data.",
    practice=(
        "The lecture prints 0.01 in one place and 0.1 in another; 0.01 is the paper's and PyTorch's value. On healthy "
        "networks the gain over ReLU is small."
    ),
    sources=(
        Reference(
            TRAINING_NETWORKS,
            "Leaky ReLU does not saturate and will not die; in practice: use ReLU with care about the learning rate, "
            "try leaky ReLU, Maxout or ELU",
        ),
        Reference(
            'Maas, Hannun, Ng, "Rectifier Nonlinearities Improve Neural Network Acoustic Models", ICML 2013',
            "The function, with slope 0.01",
            "https://ai.stanford.edu/~amaas/papers/relu_hybrid_icml2013_final.pdf",
        ),
    ),
)

RELU_INSTEAD_OF_SIGMOID = Recipe(
    name="relu-instead-of-sigmoid",
    title="Use ReLU instead of sigmoid in hidden layers",
    keywords=("vanishing gradients", "saturated units", "tanh", "activation function"),
    what=(
        "A sigmoid passes at most a quarter of the gradient, and almost none where it is near 0 or 1: through five "
        "layers less than a thousandth arrives. Its outputs are all positive, so the gradients of a unit's weights "
        "share one sign and the way to the minimum zigzags. ReLU passes the whole gradient wherever it is active."
    ),
    when="Sigmoid hidden layers, in particular several of them; saturated units; gradients that vanish with depth.",
    when_not=(
        "The output of a binary classifier, and gates (LSTM, attention), where a value between 0 and 1 is the point. "
        "Better still, train on the logits with binary_cross_entropy_with_logits."
    ),
    changes="The activation modules of hidden layers, and the initialization with them: He for ReLU.",
    cost="None: ReLU is cheaper than the exponential of a sigmoid. The learning rate must be found anew.",
    snippet="""
from torch import nn

hidden = list(model.modules())[:-1]  # leaves a sigmoid at the very end alone
for module in list(model.modules()):
    for name, child in module.named_children():
        if isinstance(child, nn.Sigmoid) and any(child is other for other in hidden):
            setattr(module, name, nn.ReLU())
for module in model.modules():
    if isinstance(module, nn.Linear):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
""",
    verify="The gradient norms of the first layers rise by orders of magnitude, and train_loss starts to fall.",
    practice=(
        "All agree. tanh is centred and better than sigmoid, and saturates all the same; transformers use GELU, a "
        "smooth relative of ReLU."
    ),
    sources=(
        Reference(
            TRAINING_NETWORKS,
            "Sigmoids kill gradients when saturated, are not zero-centred and cost an exponential: don't use sigmoid; "
            "ReLU converges about six times as fast as sigmoid and tanh",
        ),
        Reference(PRACTICAL_ASPECTS, "With all-positive inputs the gradients of a unit's weights are all of one sign"),
        Reference(
            'Krizhevsky, Sutskever, Hinton, "ImageNet Classification with Deep Convolutional Neural Networks", 2012',
            "A network with ReLU reaches 25 % training error on CIFAR-10 six times as fast as one with tanh",
            "https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks",
        ),
    ),
)
