"""Recipes for the training, validation and test splits."""

from __future__ import annotations

from trainhealth.findings import Reference
from trainhealth.recipes.base import Recipe
from trainhealth.recipes.lectures import PRACTICAL_ASPECTS, UNDER_AND_OVERFITTING

CHECK_THE_SPLIT = Recipe(
    name="check-the-split",
    title="See that the splits are alike and share no example",
    keywords=("data leakage", "leak", "duplicates", "distribution shift", "train test split", "contamination"),
    what=(
        "Validation tells something only if its examples are new and of the same kind. Count the examples that are in "
        "both splits, and compare the features' means and the classes' shares: a difference of many standard errors "
        "means that the splits were not drawn from the same data, or not preprocessed alike."
    ),
    when=(
        "Validation is better than training, or far worse from the first epoch on; inputs of the two differ in mean or "
        "scale; a result that is too good."
    ),
    when_not=(
        "The splits differ on purpose (a later year, another hospital): then the difference is the question, not an "
        "error."
    ),
    changes=(
        "Nothing that stays: a few lines before training. Then split anew, by group or by time where examples belong "
        "together."
    ),
    cost="One pass over the data.",
    snippet="""
def keys(examples):
    return {example.numpy().tobytes() for example in examples}


shared = keys(inputs) & keys(validation_inputs)
print(len(shared), "examples are in both splits")

# how far the means are apart, in standard errors of their difference
errors = (inputs.var(dim=0) / len(inputs) + validation_inputs.var(dim=0) / len(validation_inputs)).sqrt()
shift = (validation_inputs.mean(dim=0) - inputs.mean(dim=0)).abs() / errors.clamp(min=1e-8)
print(f"the largest shift of a feature is {shift.max():.1f} standard errors")

classes = int(max(targets.max(), validation_targets.max())) + 1
shares = targets.bincount(minlength=classes) / len(targets)
validation_shares = validation_targets.bincount(minlength=classes) / len(validation_targets)
print(f"the shares of a class differ by up to {(shares - validation_shares).abs().max():.2f}")
""",
    verify=(
        "No shared example, shifts of a few standard errors at most, and a validation loss that starts near train_loss."
    ),
    practice=(
        "Exact copies are found by this; near copies (frames of one video, patients with several scans) need a split "
        "by group. With many features the largest of their shifts is about 3 by chance."
    ),
    sources=(
        Reference(UNDER_AND_OVERFITTING, "Using the test set for the choice of a model leads to data leakage"),
        Reference(PRACTICAL_ASPECTS, "Train, validation and test splits: validation is for the choice of the model"),
        Reference(
            'Breck et al., "Data Validation for Machine Learning", MLSys 2019',
            "Skew between training and serving data is checked feature by feature",
            "https://mlsys.org/Conferences/2019/doc/2019/167.pdf",
        ),
    ),
)

LARGER_VALIDATION_SET = Recipe(
    name="larger-validation-set",
    title="Make the validation split so large that its noise does not matter",
    keywords=("60/20/20", "98/1/1", "train test split", "noisy validation", "cross-validation"),
    what=(
        "An accuracy of p on n examples has a standard error of sqrt(p (1 - p) / n): 100 examples tell 90 % from 84 %, "
        "not from 88 %. Decisions on a smaller split, early stopping among them, are decisions by lot."
    ),
    when=(
        "A validation curve that jumps from epoch to epoch by more than it falls; a split of fewer than some hundred "
        "examples."
    ),
    when_not=(
        "The training data are few as well: then take cross-validation, which uses each example for both, in turn."
    ),
    changes="The split: 60/20/20 where data are few, 98/1/1 where there are millions.",
    cost=(
        "Examples that are not trained on, and longer evaluations. Results are no longer comparable with the old split."
    ),
    snippet="""
import torch
from torch.utils.data import TensorDataset, random_split

everything = TensorDataset(torch.cat([inputs, validation_inputs]), torch.cat([targets, validation_targets]))
fixed = torch.Generator().manual_seed(0)  # the same split in every run
training, validation, test = random_split(everything, [0.6, 0.2, 0.2], generator=fixed)
inputs, targets = everything[training.indices]
validation_inputs, validation_targets = everything[validation.indices]

with torch.no_grad():
    right = (model(validation_inputs).argmax(dim=1) == validation_targets).float()
standard_error = (right.std() / len(right) ** 0.5).item()
print(f"validation accuracy {right.mean():.3f}, give or take {2 * standard_error:.3f}")
""",
    verify="validation_loss moves from evaluation to evaluation by less than it falls over an epoch.",
    practice=(
        "The lecture's 60/20/20 and 98/1/1 are shares; what counts is the number. Ten thousand examples tell "
        "differences of one per cent."
    ),
    sources=(
        Reference(
            PRACTICAL_ASPECTS, "60/20/20 when the data set is small, 98/1/1 when large; validation error fluctuates"
        ),
        Reference(UNDER_AND_OVERFITTING, "The standard error of a mean of n samples is sigma / sqrt(n)"),
    ),
)
