"""Recipes for the end of the model: last layer, targets and loss have to fit together."""

from __future__ import annotations

from trainhealth.findings import Reference
from trainhealth.recipes.base import Recipe
from trainhealth.recipes.lectures import OPTIMIZING, PRACTICAL_ASPECTS, TRAINING_NETWORKS, UNDER_AND_OVERFITTING

LOGITS_LOSS = Recipe(
    name="logits-loss",
    title="Give the loss the logits, and leave softmax or sigmoid to it",
    keywords=("softmax twice", "double softmax", "CrossEntropyLoss", "BCEWithLogitsLoss", "sigmoid before loss"),
    what=(
        "CrossEntropyLoss and BCEWithLogitsLoss contain the softmax and the sigmoid. With another one before them, "
        "probabilities between 0 and 1 are squeezed a second time: the loss can't fall below a bound (1.46 for ten "
        "classes), and gradients are small. The joint form is also exact where a logarithm of a rounded probability is "
        "infinite."
    ),
    when=(
        "A softmax or sigmoid as last layer and a loss that expects logits; BCELoss or a logarithm of a softmax that "
        "ends in NaN."
    ),
    when_not=(
        "NLLLoss after LogSoftmax is right as it is. Regression with targets between 0 and 1 may end in a sigmoid."
    ),
    changes="The last activation goes; softmax or sigmoid is applied where you predict.",
    cost="None.",
    snippet="""
from torch import nn

last = model[-1]
if isinstance(last, (nn.Softmax, nn.LogSoftmax)):
    model, loss_fn = model[:-1], nn.CrossEntropyLoss()  # targets: class numbers
elif isinstance(last, nn.Sigmoid):
    model, loss_fn = model[:-1], nn.BCEWithLogitsLoss()  # targets: 0.0 or 1.0, of the outputs' shape
""",
    verify="train_loss falls below the bound at which it stood, and gradients at the output layer are larger.",
    practice=(
        "The lectures speak of the softmax loss as one thing, which it should be. Frameworks differ in what a loss "
        "expects: read its documentation."
    ),
    sources=(
        Reference(OPTIMIZING, "The loss at initialization is log(C) for softmax with C classes"),
        Reference(
            "PyTorch: torch.nn.CrossEntropyLoss",
            "The input is expected to contain the unnormalized logits",
            "https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html",
        ),
    ),
)

MATCH_SHAPES = Recipe(
    name="match-shapes",
    title="Give outputs and targets the same shape before an elementwise loss",
    keywords=("broadcasting", "shape mismatch", "MSE"),
    what=(
        "Outputs of shape [N, 1] and targets of shape [N] are broadcast to [N, N]: every prediction is compared with "
        "every target. The best that a model can do then is to predict the mean for all, and the loss stands still at "
        "the variance of the targets."
    ),
    when=(
        "MSELoss, L1Loss or BCEWithLogitsLoss with shapes that differ; a regression that predicts the same value for "
        "everything."
    ),
    when_not="CrossEntropyLoss, where outputs [N, C] and class numbers [N] are right.",
    changes="One line before the loss.",
    cost="None.",
    snippet="""
def matched_loss(outputs, values):
    return loss_fn(outputs, values.reshape(outputs.shape))  # raises if they don't have the same number of elements


for _ in range(5):  # your training loop
    loss = matched_loss(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
""",
    verify="train_loss falls below the variance of the targets, and predictions differ from example to example.",
    practice=(
        "PyTorch warns of it (Using a target size that is different to the input size); turn that warning into an "
        "error. The lectures' own check finds it: such a model can't overfit a small sample."
    ),
    sources=(
        Reference(TRAINING_NETWORKS, "If you can't overfit a tiny piece of data, things are definitely broken"),
        Reference(
            "PyTorch: broadcasting semantics",
            "How tensors of different shapes are expanded",
            "https://docs.pytorch.org/docs/stable/notes/broadcasting.html",
        ),
    ),
)

TRANSPOSE_SCORES = Recipe(
    name="transpose-scores",
    title="Transpose scores for a loss that wants the classes on another axis",
    keywords=("view instead of transpose", "class axis", "shape mismatch"),
    what=(
        "cross_entropy wants classes on axis 1, and layers over sequences give them last. Both view and transpose make "
        "[N, C, T] of [N, T, C], and raise no error; but view only cuts the row of numbers elsewhere, so that scores "
        "come under other positions and classes. Only transpose, permute and movedim swap axes."
    ),
    when="view or reshape between the model and the loss, and a loss that hardly leaves the logarithm of the classes.",
    when_not="Flattening [N, T, C] to [N x T, C], with targets flattened alike: the classes stay where they are.",
    changes="One line before the loss.",
    cost="None.",
    snippet="""
def sequence_loss(scores, labels):
    # scores [N, T, C], as a linear layer gives them; labels [N, T]
    return loss_fn(scores.movedim(-1, 1), labels)


for _ in range(5):  # your training loop
    loss = sequence_loss(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
""",
    verify="train_loss falls well below the logarithm of the number of classes.",
    practice=(
        "A tiny batch that can't be learnt by heart is the sign, as the lecture has it. For images whose classes are "
        "on axis 1, movedim(1, -1) comes before reshape(-1, C)."
    ),
    sources=(
        Reference(TRAINING_NETWORKS, "If you can't overfit a tiny piece of data, things are definitely broken"),
        Reference(
            "PyTorch: torch.nn.CrossEntropyLoss",
            "The input has the shape (N, C) or (N, C, d1, …)",
            "https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html",
        ),
    ),
)

OUTPUT_ACTIVATION = Recipe(
    name="output-activation",
    title="End a regression with a linear layer, and a classifier with its logits",
    keywords=("last layer", "range of the outputs", "regression", "softplus"),
    what=(
        "The last layer must be able to give every target. A ReLU at the end can't give a negative number and has no "
        "gradient there; a sigmoid or tanh can't leave its interval, and saturates at its ends. Use an activation at "
        "the end only where the range of the targets demands it: softplus for positive values, a sigmoid for values "
        "between 0 and 1."
    ),
    when=(
        "Targets outside of what the last layer can give; a ReLU before the loss; outputs that stick to one end of an "
        "interval."
    ),
    when_not="The interval is right and meant, as for pixels between 0 and 1, or actions between -1 and 1.",
    changes="The last layer. Standardize targets of a large scale instead of stretching the activation.",
    cost="None.",
    snippet="""
from torch import nn

bounded = (nn.ReLU, nn.LeakyReLU, nn.ELU, nn.Tanh, nn.Sigmoid)
if isinstance(model[-1], bounded):
    model = model[:-1]  # the parameters are the same tensors, so the optimizer stays valid
""",
    verify=(
        "The outputs cover the range from target_minimum to target_maximum, and train_loss falls below its old bound."
    ),
    practice="The lectures treat hidden layers; their networks end in a linear layer throughout.",
    sources=(
        Reference(TRAINING_NETWORKS, "Sigmoids and tanh kill gradients when saturated, ReLU has none below zero"),
        Reference(
            "Goodfellow, Bengio, Courville, Deep Learning, section 6.2.2",
            "Output units follow from the distribution of the targets",
            "https://www.deeplearningbook.org/contents/mlp.html",
        ),
    ),
)

NONLINEARITY_BETWEEN_LAYERS = Recipe(
    name="nonlinearity-between-layers",
    title="Put an activation function between linear layers",
    keywords=("missing activation", "linear model", "underfitting"),
    what=(
        "The product of two matrices is a matrix: linear layers in a row, without an activation between them, can do "
        "no more than one linear layer. Depth begins with the bend."
    ),
    when=(
        "Linear or convolutional layers that follow each other directly, and a training loss that stays at that of a "
        "linear model."
    ),
    when_not="A bottleneck that factors a large matrix on purpose, or the projections inside of an attention layer.",
    changes="The model: an activation after each hidden linear layer, and He initialization with it.",
    cost="None that can be measured.",
    snippet="""
from torch import nn

layers = []
for layer, following in zip(model, [*model[1:], None]):
    layers.append(layer)
    if isinstance(layer, nn.Linear) and isinstance(following, nn.Linear):
        layers.append(nn.ReLU())
model = nn.Sequential(*layers)
""",
    verify="train_loss falls below that of a linear model on the same data.",
    practice=(
        "One lecture puts a linear bottleneck in on purpose, because it regularizes though it can't add capacity. That "
        "is the exception."
    ),
    sources=(
        Reference(UNDER_AND_OVERFITTING, "Increasing capacity can be done by adding more hidden layers"),
        Reference(PRACTICAL_ASPECTS, "Linear layers don't make a network more expressive"),
        Reference(
            "Goodfellow, Bengio, Courville, Deep Learning, section 6.1",
            "A linear model can't represent XOR; a hidden layer with ReLU can",
            "https://www.deeplearningbook.org/contents/mlp.html",
        ),
    ),
)
