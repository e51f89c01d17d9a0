"""Recipes that bring knowledge from other data or other tasks."""

from __future__ import annotations

from trainhealth.findings import Reference
from trainhealth.recipes.base import Recipe
from trainhealth.recipes.lectures import PRACTICAL_ASPECTS, REGULARIZATION, UNDER_AND_OVERFITTING

TRANSFER_LEARNING = Recipe(
    name="transfer-learning",
    title="Begin with a pretrained model, and train as many layers as your data allow",
    keywords=("fine-tuning", "finetune", "pretrained model", "few data", "frozen features"),
    what=(
        "The first layers of a network learn what is common to many tasks, the last ones what is special to one. Few "
        "and similar data: train a new last layer only. Few and very different: try a linear classifier on earlier "
        "layers. Many and similar: fine-tune some of the last layers. Many and different: fine-tune more layers."
    ),
    when="Fewer data than the model would need from scratch, and a model that was trained on related ones.",
    when_not=(
        "Data of another kind altogether, with enough of them to train from scratch. Preprocess as in the pretraining."
    ),
    changes="The last layer is new, others are frozen or get a tenth of the rate.",
    cost="None: it is cheaper than training from scratch. The model's size and preprocessing are given.",
    snippet="""
import torch
from torch import nn

pretrained, classes = model, 10
for parameter in pretrained.parameters():
    parameter.requires_grad = False  # the features stay
last = pretrained[-1]
model = nn.Sequential(*pretrained[:-1], nn.Linear(last.in_features, classes))  # a new head for the new classes
rate = optimizer.param_groups[0]["lr"]
optimizer = torch.optim.SGD(model[-1].parameters(), lr=rate, momentum=0.9)
# with more data: the recipe unfreeze-layers, from the last layers on
""",
    verify="With the same examples and steps, train_loss is lower and validation_accuracy higher than from scratch.",
    practice=(
        "The lecture's table says \"you're in trouble\" for few and very different data, and to try a linear "
        "classifier from different stages. Today fine-tuning all layers at a small rate is common even with few data."
    ),
    sources=(
        Reference(PRACTICAL_ASPECTS, "The matrix of the amount of data and its similarity"),
        Reference(
            'Yosinski et al., "How transferable are features in deep neural networks?", NIPS 2014',
            "First layers are general, last layers special",
            "https://arxiv.org/abs/1411.1792",
        ),
    ),
)

MULTI_TASK_LEARNING = Recipe(
    name="multi-task-learning",
    title="Train shared layers on several related tasks at once",
    keywords=("multitask", "auxiliary task", "shared layers", "regularization"),
    what=(
        "Layers that serve two tasks can't fit either of them by heart; what they learn must be of use to both. Each "
        "task has a head of its own, which learns from its own examples only."
    ),
    when="Related tasks on the same kind of input, in particular one with few labels beside one with many.",
    when_not="Unrelated tasks, which hold each other back; losses of very different size, unless they are weighted.",
    changes="A second head, and a sum of losses with weights.",
    cost="Labels for the second task, and the weights of the losses to choose.",
    snippet="""
import torch
from torch import nn

shared, head = model[:-1], model[-1]
second_head = nn.Linear(head.in_features, 2)
second_targets = targets % 2  # your second task; here: is the digit odd
optimizer.add_param_group({"params": second_head.parameters()})
second_weight = 0.3

for _ in range(100):  # your training loop
    features = shared(inputs)
    loss = loss_fn(head(features), targets)
    loss = loss + second_weight * nn.functional.cross_entropy(second_head(features), second_targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
""",
    verify="Both losses fall, and the validation loss of the first task is at most that of training it alone.",
    practice=(
        "Both lectures count it as regularization. Whether a second task helps is found by trying; half of the time it "
        "does not."
    ),
    sources=(
        Reference(UNDER_AND_OVERFITTING, "Task-specific and shared layers: each task cannot be learned too well"),
        Reference(REGULARIZATION, "Learning together can be a good regularizer; all tasks are related"),
        Reference('Caruana, "Multitask Learning", 1997', "The method", "https://doi.org/10.1023/A:1007379606734"),
    ),
)

SELF_SUPERVISED_PRETRAINING = Recipe(
    name="self-supervised-pretraining",
    title="Pretrain on examples without labels, by predicting how they were turned",
    keywords=("unlabelled data", "unsupervised", "rotation prediction", "few labels"),
    what=(
        "A task whose labels cost nothing, such as telling by how many quarter turns an image was rotated, makes the "
        "model look at what images show. Its layers are then trained further on the few examples that have labels."
    ),
    when="Many examples, few of them with labels, and no pretrained model that fits.",
    when_not=(
        "All examples have labels. Images that have no up and down (satellite, cells): turning them changes nothing."
    ),
    changes="A training before the training, with another head.",
    cost="The pretraining.",
    snippet="""
import torch
from torch import nn

features, head = model[:-1], model[-1]
turn_head = nn.Linear(head.in_features, 4)
pretext = torch.optim.AdamW([*features.parameters(), *turn_head.parameters()], lr=1e-2)

for _ in range(100):  # inputs: images [N, C, H, W], no labels needed
    turns = torch.randint(4, (len(inputs),))
    turned = torch.stack([image.rot90(int(turn), dims=(1, 2)) for image, turn in zip(inputs, turns)])
    pretext_loss = nn.functional.cross_entropy(turn_head(features(turned)), turns)
    pretext.zero_grad()
    pretext_loss.backward()
    pretext.step()
# then train the model, features and head, on the examples with labels
""",
    verify="The pretext loss falls well below log 4 = 1.39, and training with labels reaches a lower validation loss.",
    practice=(
        "The lecture's examples are rotations and relative positions of patches. Contrastive learning and masked "
        "prediction have taken their place."
    ),
    sources=(
        Reference(
            REGULARIZATION, "Self-supervised learning: relative positioning (2015), predicting image rotations (2018)"
        ),
        Reference(
            'Gidaris, Singh, Komodakis, "Unsupervised Representation Learning by Predicting Image Rotations", ICLR '
            "2018",
            "The method",
            "https://arxiv.org/abs/1803.07728",
        ),
    ),
)

LAYER_WISE_PRETRAINING = Recipe(
    name="layer-wise-pretraining",
    title="Pretrain layer after layer as autoencoders",
    keywords=("greedy pretraining", "autoencoder", "deep belief"),
    what=(
        "The first layer is trained to reconstruct the inputs from its outputs, the next one to reconstruct the "
        "outputs of the first, and so on. Then all layers together are trained on the task, from a favourable place."
    ),
    when=(
        "Deep networks with sigmoid or tanh that do not start, where other initializations can't be used; a lesson in "
        "history."
    ),
    when_not="Networks with He initialization, ReLU and normalization, which train without it.",
    changes="A loop over layers before the training.",
    cost="A short training for each layer.",
    snippet="""
import torch
from torch import nn

representation = inputs
for index in range(0, len(model) - 1, 2):  # pairs of a linear layer and its activation
    encoder = model[index : index + 2]
    decoder = nn.Linear(model[index].out_features, model[index].in_features)
    pretraining = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-2)
    for _ in range(100):
        reconstruction_loss = (decoder(encoder(representation)) - representation).square().mean()
        pretraining.zero_grad()
        reconstruction_loss.backward()
        pretraining.step()
    representation = encoder(representation).detach()
# then train the whole model on its task
""",
    verify=(
        "Each reconstruction loss falls below the variance of what it reconstructs, and train_loss starts to fall at "
        "once."
    ),
    practice=(
        "The lecture lists it beside the initializations that have replaced it. It made deep networks possible in 2006 "
        "and is hardly used any more."
    ),
    sources=(
        Reference(
            REGULARIZATION, "Pre-train the network layer by layer, unsupervised: a favourable point for fine-tuning"
        ),
        Reference(
            'Bengio et al., "Greedy Layer-Wise Training of Deep Networks", NIPS 2006',
            "The method, with autoencoders",
            "https://papers.nips.cc/paper/3048-greedy-layer-wise-training-of-deep-networks",
        ),
    ),
)
