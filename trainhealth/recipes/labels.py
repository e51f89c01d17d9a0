"""Recipes for labels: wrong ones, rare ones, and too sure ones."""

from __future__ import annotations

from trainhealth.findings import Reference
from trainhealth.recipes.base import Recipe
from trainhealth.recipes.lectures import OPTIMIZING, PRACTICAL_ASPECTS, REGULARIZATION, UNDER_AND_OVERFITTING

CHECK_LABELS = Recipe(
    name="check-labels",
    title="Look at the labels: range, classes, and the examples with the largest loss",
    keywords=("label noise", "noisy labels", "mislabeled examples", "wrong labels", "annotation errors"),
    what=(
        "Training can't be better than its labels. Count the classes, see that labels lie in 0 to C - 1 and still "
        "belong to their examples (a shuffle of one of two arrays separates them), and look at the examples whose loss "
        "stays largest when the rest is learnt: wrong labels gather there."
    ),
    when=(
        "The validation loss is at chance while the training loss falls; targets outside of the classes; a training "
        "loss that falls only by heart."
    ),
    when_not=(
        "Hard examples are no wrong examples: look before you delete. Never clean the validation split by the model "
        "that it judges."
    ),
    changes="Nothing that stays: a few lines before training, and a look at some tens of examples.",
    cost="Minutes of your time, which is the cheapest way to a better model.",
    snippet="""
import torch

classes, counts = targets.unique(return_counts=True)
print("classes:", dict(zip(classes.tolist(), counts.tolist())))

model.eval()
with torch.no_grad():
    outputs = model(inputs)
    assert 0 <= int(targets.min()) and int(targets.max()) < outputs.shape[1], "labels must be 0 to C - 1"
    losses = torch.nn.functional.cross_entropy(outputs, targets, reduction="none")
model.train()
suspects = losses.argsort(descending=True)[:20]  # look at these: inputs[suspects], targets[suspects]
print("largest losses:", suspects.tolist())
""",
    verify="What you see fits its label; after the repair validation_loss falls together with train_loss.",
    practice=(
        "The lectures go on to train in spite of wrong labels (MentorNet, noise at the targets). First look: test sets "
        "of well-known benchmarks hold some per cent of wrong labels (Northcutt et al.)."
    ),
    sources=(
        Reference(
            REGULARIZATION,
            "MentorNet: to overcome overfitting on corrupted labels, from which deep networks learn by heart",
        ),
        Reference(
            'Northcutt, Athalye, Mueller, "Pervasive Label Errors in Test Sets Destabilize Machine Learning '
            'Benchmarks", 2021',
            "At least 3.3 % of the labels of ten test sets are wrong",
            "https://arxiv.org/abs/2103.14749",
        ),
        Reference(
            'Zhang et al., "Understanding deep learning requires rethinking generalization", ICLR 2017',
            "Networks learn random labels by heart",
            "https://arxiv.org/abs/1611.03530",
        ),
    ),
)

BALANCE_CLASSES = Recipe(
    name="balance-classes",
    title="Draw rare classes more often, or weigh them more in the loss",
    keywords=(
        "class imbalance",
        "imbalanced data",
        "oversampling",
        "class weights",
        "weighted sampler",
        "rare classes",
    ),
    what=(
        "Where one class has 95 % of the examples, a model that always says so is right in 95 % of the cases, and the "
        "gradients of the rare class drown. Drawing the examples with probabilities inverse to the size of their class "
        "makes each class equally frequent in the batches."
    ),
    when="Classes of very different size, and a model that predicts the frequent one; recall of the rare class at 0.",
    when_not=(
        "You need calibrated probabilities: balancing moves them. Mild imbalance (up to about 1 : 5) is seldom a "
        "problem."
    ),
    changes="A sampler for the training data loader (or weights in the loss). Validation stays as it is.",
    cost="Rare examples repeat, so they are overfitted sooner. Measure by recall of each class, not by accuracy.",
    snippet="""
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler

counts = targets.bincount().clamp(min=1)
weights = 1.0 / counts[targets]  # of each example
sampler = WeightedRandomSampler(weights.tolist(), num_samples=len(targets))
loader = DataLoader(TensorDataset(inputs, targets), batch_size=64, sampler=sampler)

for epoch in range(5):
    for batch_inputs, batch_targets in loader:
        loss = loss_fn(model(batch_inputs), batch_targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
""",
    verify="majority_share of the batches is about 1 / C, and the recall of rare classes rises.",
    practice=(
        "The lectures assume balanced data. Weights in the loss (CrossEntropyLoss(weight=...)) have the same mean "
        "effect with larger gradients; oversampling did best in the study of Buda et al."
    ),
    sources=(
        Reference(
            PRACTICAL_ASPECTS,
            "Train set error and test set error are the two metrics",
        ),
        Reference(
            'Buda, Maki, Mazurowski, "A systematic study of the class imbalance problem in convolutional neural '
            'networks", 2018',
            "Oversampling until classes are balanced is best in almost all cases",
            "https://arxiv.org/abs/1710.05381",
        ),
    ),
)

LABEL_SMOOTHING = Recipe(
    name="label-smoothing",
    title="Train towards 90 % instead of 100 % for the right class",
    keywords=("noise on targets", "soft targets", "overconfidence", "regularization"),
    what=(
        "To reach a probability of 1, a softmax needs infinite logits: the model grows its weights and its confidence "
        "for ever. Label smoothing takes the share epsilon of the target away from the right class and spreads it over "
        "all classes, so that there is a finite optimum."
    ),
    when=(
        "A classifier that overfits in loss more than in accuracy: it is wrong with great confidence. Labels with a "
        "few errors."
    ),
    when_not=(
        "The probabilities themselves are distilled into another model, or binary targets are soft already. "
        "Underfitting."
    ),
    changes="One argument of the loss for training; validate with the plain loss.",
    cost="None. The training loss can't fall below the entropy of the smoothed targets (0.50 for ten classes and 0.1).",
    snippet="""
from torch import nn

loss_fn = nn.CrossEntropyLoss(label_smoothing=0.1)
validation_loss_fn = nn.CrossEntropyLoss()
""",
    verify="validation_loss turns up later or not at all, and the largest probability of most examples stays near 0.9.",
    practice=(
        "The lectures write the targets in two ways: 1 - eps and eps / k, and 1 - eps (K - 1) / K and eps / K. PyTorch "
        "has the second, Szegedy's. An initial loss of log C is not changed by it."
    ),
    sources=(
        Reference(
            OPTIMIZING,
            "1 - eps (K - 1) / K for the correct class and eps / K for the others; to squeeze out extra performance",
        ),
        Reference(REGULARIZATION, "Networks become over-confident; force them to be less confident in their answers"),
        Reference(UNDER_AND_OVERFITTING, "Noise at the output targets: less sensitive to mistaken labels"),
        Reference(
            'Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", 2015',
            "The method, with 0.1",
            "https://arxiv.org/abs/1512.00567",
        ),
    ),
)

SMALL_LOSS_SELECTION = Recipe(
    name="small-loss-selection",
    title="If labels are wrong, leave the largest losses out of each batch",
    keywords=("MentorNet", "co-teaching", "noisy labels", "label noise", "mislabeled examples"),
    what=(
        "Networks learn the regular examples first and the wrong labels last, by heart. While that order holds, a "
        "small loss means a label that is probably right: train each batch on the share with the smallest losses only."
    ),
    when="A known share of wrong labels (20 % and more) that nobody can repair, and a validation split that is clean.",
    when_not=(
        "Labels are right: then it removes the rare and hard examples, which teach most. Imbalanced classes, where the "
        "rare one has large losses."
    ),
    changes=(
        "The loss of each example, sorted, and the mean over the smallest. Begin after an epoch or two on all examples."
    ),
    cost="One sort a batch; the examples that are left out are computed in vain.",
    snippet="""
import torch

kept_share = 0.7  # one minus the share of wrong labels

for step in range(200):  # your training loop
    losses = torch.nn.functional.cross_entropy(model(inputs), targets, reduction="none")
    share = kept_share if step >= 50 else 1.0  # first, all of them: the model must know the regular ones
    kept = losses.detach().argsort()[: int(share * len(losses))]
    loss = losses[kept].mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
""",
    verify=(
        "validation_loss keeps falling where it turned up before, though the loss on all training labels stays high."
    ),
    practice=(
        "The lecture's MentorNet trains a second network to give the weights; selection by small loss is its simplest "
        "form and the core of its successors. Two networks that select for each other are more robust (co-teaching)."
    ),
    sources=(
        Reference(
            REGULARIZATION,
            "MentorNet supervises the training of the base network, against overfitting on corrupted labels",
        ),
        Reference(
            'Jiang et al., "MentorNet: Learning Data-Driven Curriculum for Very Deep Neural Networks on Corrupted '
            'Labels", ICML 2018',
            "The method",
            "https://arxiv.org/abs/1712.05055",
        ),
        Reference(
            'Han et al., "Co-teaching: Robust Training of Deep Neural Networks with Extremely Noisy Labels", NeurIPS '
            "2018",
            "Selection of instances with small loss",
            "https://arxiv.org/abs/1804.06872",
        ),
    ),
)

IGNORE_PADDING = Recipe(
    name="ignore-padding",
    title="Leave the filling of short sequences out of the loss and of the accuracy",
    keywords=("ignore_index", "pad token", "padded sequences", "mask"),
    what=(
        "Sequences of unlike lengths are filled up to make a batch. Where the filling has a class of its own and the "
        "loss counts it, it is the easiest and often the most frequent class: the loss looks good, the accuracy too, "
        "and both are mostly about nothing. With ignore_index these positions have no part in either."
    ),
    when="Targets that end (or begin) in runs of one class, as long as the sequence is short.",
    when_not="The class after the end is a real one that the model has to give: an end mark, a final state.",
    changes="An argument of the loss, and the mean of the accuracy.",
    cost="None.",
    snippet="""
from torch import nn

filling = 0  # the class that stands for no data
loss_fn = nn.CrossEntropyLoss(ignore_index=filling)


def accuracy(scores, labels):
    # scores [N, C, ...], labels [N, ...]
    counted = labels != filling
    return ((scores.argmax(dim=1) == labels) & counted).sum() / counted.sum()
""",
    verify="train_loss is higher than it was, and what it falls by is learnt from data.",
    practice=(
        "Frameworks for text mark the filling by -100 in the labels, which torch ignores by default. Beware of a batch "
        "that is all filling: its mean is 0 / 0."
    ),
    sources=(
        Reference(REGULARIZATION, "The loss is a mean over the N examples of the data"),
        Reference(
            "PyTorch: torch.nn.CrossEntropyLoss",
            "A target equal to ignore_index does not contribute to the gradient, nor to the mean",
            "https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html",
        ),
    ),
)
