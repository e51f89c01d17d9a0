"""Recipes for the choice of the optimizer."""

from __future__ import annotations

from trainhealth.findings import Reference
from trainhealth.recipes.base import Recipe
from trainhealth.recipes.lectures import OPTIMIZING, PRACTICAL_ASPECTS, UNDER_AND_OVERFITTING

MOMENTUM = Recipe(
    name="momentum",
    title="Give SGD a momentum of 0.9",
    keywords=("heavy ball", "SGD", "ravine", "oscillating gradients", "local minimum"),
    what=(
        "Where the loss is a ravine, the gradient points across it: plain SGD jitters between the walls and creeps "
        "along the floor. Momentum keeps a velocity, a running sum of gradients that forgets a tenth at each step. "
        "What points the same way step after step adds up, what changes sign cancels, and so does much of the noise of "
        "the batches."
    ),
    when=(
        "SGD without momentum whose loss falls slowly while successive updates turn back on each other; noisy "
        "gradients; plateaus and saddle points."
    ),
    when_not=(
        "Adam and its relatives, which have it built in (beta1). Or a loss that jumps already: momentum makes steps "
        "longer, so lower the rate with it."
    ),
    changes="One argument of SGD. Along a steady slope steps become 1 / (1 - 0.9) = 10 times as long.",
    cost="A copy of the parameters for the velocity. Nothing else.",
    snippet="""
import torch

rate = optimizer.param_groups[0]["lr"]
optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9)  # if the loss jumps, divide the rate by 3 or 10
""",
    verify=(
        "train_loss falls clearly faster than at the same rate without momentum, and gradient_cosine is negative less "
        "often."
    ),
    practice=(
        "The lectures give 0.9 or 0.99, and 0.8 to 0.9; 0.9 is the usual value. They write the update in two ways, "
        "with the rate inside the velocity or outside: with a schedule the two differ a little, and PyTorch has it "
        "outside."
    ),
    sources=(
        Reference(
            PRACTICAL_ASPECTS, "Momentum sometimes helps a lot, and almost never hurts; rho is typically 0.9 or 0.99"
        ),
        Reference(
            OPTIMIZING, "Poor conditioning, saddle points and gradient noise: velocity as a running mean of gradients"
        ),
        Reference(
            UNDER_AND_OVERFITTING,
            "SGD suffers from high curvature, from small but consistent and from noisy gradients; values of 0.8 to 0.9",
        ),
        Reference(
            'Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013',
            "Momentum and its schedule decide whether deep networks train with SGD",
            "https://proceedings.mlr.press/v28/sutskever13.html",
        ),
    ),
)

NESTEROV = Recipe(
    name="nesterov",
    title="Look ahead: use Nesterov momentum",
    keywords=("NAG", "accelerated gradient", "momentum"),
    what=(
        "Plain momentum computes the gradient where it stands and then jumps by its velocity, so it notices too late "
        "that it has crossed the valley. Nesterov computes the gradient at the place where the velocity is about to "
        "take it, which brakes earlier: it overshoots less and bears a larger momentum."
    ),
    when=(
        "SGD with momentum whose updates swing to and fro across the valley, or whose loss overshoots and comes back "
        "in waves."
    ),
    when_not=(
        "Adaptive optimizers (torch.optim.NAdam is their version). Where noise of the batches, not curvature, makes "
        "the steps disagree, it changes nothing."
    ),
    changes="One more argument of SGD, and half of the rate where the loss zigzags: steps add up to ten anyway.",
    cost=(
        "Along the steepest direction the largest stable rate is lower: 1.36 over the curvature at a momentum of 0.9, "
        "against 2 without momentum and 3.8 with plain momentum."
    ),
    snippet="""
import torch

rate = optimizer.param_groups[0]["lr"]
optimizer = torch.optim.SGD(model.parameters(), lr=rate / 2, momentum=0.9, nesterov=True)
""",
    verify=(
        "Fewer and smaller waves in train_loss at the same rate and momentum, and successive updates that agree more."
    ),
    practice=(
        "The lectures derive it for the true gradient. With small noisy batches the difference to plain momentum is "
        "small; it is free, and many published recipes for image models use it."
    ),
    sources=(
        Reference(
            OPTIMIZING,
            "Look ahead to the point where updating with the velocity would take us, and compute the gradient there",
        ),
        Reference(PRACTICAL_ASPECTS, "The same update, v = rho v - alpha grad f(x + rho v)"),
        Reference(
            'Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013',
            "Nesterov's version is more stable along directions of high curvature",
            "https://proceedings.mlr.press/v28/sutskever13.html",
        ),
    ),
)

ADAMW = Recipe(
    name="adamw",
    title="Use AdamW as the default optimizer",
    keywords=("Adam", "AdaGrad", "adaptive learning rate", "default optimizer"),
    what=(
        "Adam divides each parameter's step by the running size of its own gradient, so that one rate suits parameters "
        "whose gradients differ by orders of magnitude. AdamW adds weight decay as a factor on the weights. With "
        "Adam's weight_decay the penalty would pass through that division, and parameters with large gradients would "
        "hardly decay at all."
    ),
    when=(
        "A new problem; transformers; gradients of very different scales; Adam with weight_decay above 0; AdaGrad, "
        "whose steps shrink to nothing."
    ),
    when_not=(
        "A published recipe with SGD and momentum that works, which often ends at a slightly better model. With L-BFGS "
        "or full batches there is no need."
    ),
    changes=(
        "The optimizer and its rate: 1e-3 or 5e-4, not the 0.1 of SGD. A decay of 1e-2 replaces the 1e-4 of an L2 "
        "penalty."
    ),
    cost="Two copies of the parameters.",
    snippet="""
import torch

optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.999), weight_decay=1e-2)
""",
    verify=(
        "train_loss falls within the first 100 steps without a search for the rate, and parameter_norm stays bounded."
    ),
    practice=(
        "The lecture's slide of AdamW still shows the L2 line that it replaces: the decay belongs into the update, and "
        "the schedule multiplies both. Leave biases and the scales of normalization layers out of the decay (recipe "
        "weight-decay)."
    ),
    sources=(
        Reference(
            OPTIMIZING,
            'AdamW should probably be your "default" optimizer for new problems; L2 and weight decay are not the same '
            "for adaptive methods",
        ),
        Reference(
            PRACTICAL_ASPECTS,
            "Adam with betas 0.9 and 0.999 and a rate of 1e-3 or 5e-4 is a great starting point; AdaGrad's step decays "
            "to zero",
        ),
        Reference(
            'Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019',
            "AdamW, and why the penalty fails inside Adam",
            "https://arxiv.org/abs/1711.05101",
        ),
    ),
)

RMSPROP = Recipe(
    name="rmsprop",
    title="Let an adaptive optimizer forget: RMSProp in place of AdaGrad",
    keywords=("RMSprop", "leaky AdaGrad", "AdaGrad", "adaptive learning rate", "steps decay to zero"),
    what=(
        "AdaGrad divides each element's step by the root of the sum of all its squared gradients. The sum only grows, "
        "so steps decay to zero, whether or not the minimum has been reached. RMSProp takes a running mean that "
        "forgets a hundredth at each step: directions are still balanced, and steps stay as long as they are needed."
    ),
    when="AdaGrad whose loss has come to a standstill; recurrent networks and reinforcement learning.",
    when_not=(
        "Elsewhere AdamW is the default: it adds momentum and the correction of the first steps. A convex problem with "
        "sparse features, for which AdaGrad was made."
    ),
    changes="The optimizer and its rate: 1e-3, not the 1e-2 of AdaGrad.",
    cost="A copy of the parameters, as AdaGrad. The rate has to fall by a schedule, since it no longer does by itself.",
    snippet="""
import torch

optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3, alpha=0.99)  # alpha: what is kept at each step
""",
    verify="train_loss goes on falling where it stood, and effective_learning_rate no longer falls with the steps.",
    practice=(
        'One lecture calls it "leaky AdaGrad". It was never published but on the slides of a course; the first step is '
        "ten times as long as it should be, because the running mean begins at zero, which Adam corrects."
    ),
    sources=(
        Reference(OPTIMIZING, "AdaGrad's step size over long time decays to zero; RMSProp: leaky AdaGrad"),
        Reference(
            UNDER_AND_OVERFITTING,
            "AdaGrad may have made the rate too small before arriving at a convex structure; RMSProp discards history "
            "from the extreme past",
        ),
        Reference(PRACTICAL_ASPECTS, "RMSProp: the smoothed version of AdaGrad"),
        Reference(
            'Hinton, Srivastava, Swersky, "Neural Networks for Machine Learning", lecture 6, 2012',
            "The method: divide the gradient by a running average of its recent magnitude",
            "https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf",
        ),
    ),
)

FULL_BATCH_LBFGS = Recipe(
    name="full-batch-lbfgs",
    title="For small deterministic problems, use L-BFGS on the full batch",
    keywords=("L-BFGS", "quasi-Newton", "second order", "BFGS"),
    what=(
        "L-BFGS estimates the curvature from the last few gradients and steps towards the minimum of that picture, "
        "with a line search that finds the length of the step. There is no rate to tune, and it converges in tens of "
        "steps where gradient descent takes thousands."
    ),
    when=(
        "The whole data set fits into one batch, the loss is deterministic (no dropout, no augmentation), and the "
        "model is small."
    ),
    when_not=(
        "Mini-batches: the gradients of two batches differ by noise, which it takes for curvature, and the results are "
        "bad."
    ),
    changes="The optimizer, and a closure that computes the loss, because one step evaluates it several times.",
    cost="Several evaluations a step, and a few copies of the gradient.",
    snippet="""
import torch

optimizer = torch.optim.LBFGS(model.parameters(), max_iter=20, line_search_fn="strong_wolfe")


def closure():
    optimizer.zero_grad()
    loss = loss_fn(model(inputs), targets)  # always on all the data
    loss.backward()
    return loss


for _ in range(5):
    optimizer.step(closure)
""",
    verify="train_loss falls to a tenth within a few steps, and never rises.",
    practice=(
        "The lecture's advice stands: full batch or not at all. It is at home in physics-informed and small regression "
        "problems, often after some epochs of Adam."
    ),
    sources=(
        Reference(
            OPTIMIZING,
            "Usually works very well in full batch, deterministic mode; does not transfer very well to mini-batches",
        ),
        Reference(
            'Liu and Nocedal, "On the limited memory BFGS method for large scale optimization", 1989',
            "The method",
            "https://doi.org/10.1007/BF01589116",
        ),
    ),
)
