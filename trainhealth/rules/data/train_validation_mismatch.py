"""DA06 train-validation-mismatch: validation inputs have another scale than training inputs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.chance import Chance, chance_level
from trainhealth.rules.objective import moving_target
from trainhealth.rules.progress import last_level
from trainhealth.rules.sampled import usual
from trainhealth.series import RunView

_WELL = 0.2  # share of the loss of guessing
_NEAR = 2.0  # times the training loss


class TrainValidationMismatch(Rule):
    """The inputs of the evaluation are scaled or distributed otherwise than those of training.

    What it detects
        evaluation_input_mean and evaluation_input_std, of the first batch of an evaluation, against input_mean and
        input_std of the training batches (input unit).

    Why it matters
        A model that was trained on standardised inputs sees something new in raw ones, and the other way round: the
        validation loss then measures the preparation of the data, not the model.

    How it decides
        Medians over samples. The standard deviations differ by a factor of `ratio` or more, or the means by more than
        `shift` times the larger standard deviation; and the run logs a validation or test score.

    What to try
        One function that prepares the inputs, called for both, with the training data's mean and deviation.

    When it is wrong
        Augmentation, noise on training inputs and mixup change mean and deviation by less than that: silent. Data that
        really differ (another season, another hospital) are named rightly, and the advice does not fit. Evaluations of
        a few examples with heavy tails may differ by accident. Forwards without gradients that are no evaluation
        (targets of reinforcement learning): silent where no validation score is logged. A series that is split by time
        has moved on in its later part: a note, where the validation loss is near that of training, or far below that of
        guessing. Where tokens enter with a recurrent state, the state is the first input that has a scale, and both
        splits begin with zeros: silent where the evaluation's inputs are all one value, and a training batch's were.
    """

    code = "DA06"
    name = "train-validation-mismatch"
    topic = "data"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = (
        "input_std",
        "evaluation_input_std",
        "validation_loss|validation_accuracy|test_loss|test_accuracy",
    )
    uses = ("input_mean", "evaluation_input_mean", "train_loss")
    references = (
        Reference(
            "Breck et al. 2019: Data Validation for Machine Learning, section 3.2 (skew)",
            "Training data and the data on which the model is used drift apart where different code prepares them.",
            "https://mlsys.org/Conferences/2019/doc/2019/167.pdf",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        ratio: float = option(2.5, "1", "house choice: standardised against [0, 1] MNIST has 3.2, CIFAR-10 4")
        shift: float = option(1.0, "standard deviations", "house choice")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if training and evaluation inputs differ in mean or deviation."""
        if (reason := moving_target(run)) is not None:
            return NotChecked(reason)
        std, other = usual(run, "input_std"), usual(run, "evaluation_input_std")
        mean, other_mean = usual(run, "input_mean"), usual(run, "evaluation_input_mean")
        small, large = sorted((std, other))
        scaled = large > 0 and large >= options.ratio * small
        shifted = large > 0 and abs(other_mean - mean) > options.shift * large
        if not (scaled or shifted) or (other == 0 and run.series("input_std").finite().values.min() == 0):
            return []
        harmless = not scaled and _as_good_as_training(run)
        signal, observed, expected = (
            ("evaluation_input_std", other, f"about {number(std)}, as in training")
            if scaled
            else ("evaluation_input_mean", other_mean, f"about {number(mean)}, as in training")
        )
        steps = run.series(signal).steps
        finding = self.finding(
            f"Inputs have mean {number(mean)} and standard deviation {number(std)} in training, and mean"
            f" {number(other_mean)} and standard deviation {number(other)} in evaluation.",
            [Evidence(signal, None, int(steps[0]), int(steps[-1]), observed, expected)],
            [
                Recommendation(
                    "Prepare the inputs of both splits with one function: the same scaling, with the training data's"
                    " mean and deviation.",
                    "What the model has learnt holds for inputs of the scale that it was trained on.",
                    "evaluation_input_mean and evaluation_input_std agree with input_mean and input_std, and the"
                    " validation score comes near the training score.",
                    "Scores of earlier evaluations don't compare.",
                    "standardize-inputs",
                    Change("validation inputs", "prepared otherwise", "prepared as the training inputs"),
                ),
                Recommendation(
                    "If they are prepared alike, look at how the split was made.",
                    "Data that were sorted before the split have other examples at their end.",
                    "Both splits have the same mean and deviation.",
                    recipe="check-the-split",
                ),
            ],
            severity=Severity.NOTE if harmless else Severity.WARNING,
        )
        return [finding]


def _as_good_as_training(run: RunView) -> bool:
    """Tell whether the model does on validation data about what it does on training data: the shift costs nothing."""
    validation, train = last_level(run.series("validation_loss").finite().values), run.series("train_loss").finite()
    chance = chance_level(run)
    if isinstance(chance, Chance) and validation < _WELL * chance.constant:
        return True
    return validation < _NEAR * last_level(train.values)
