"""What comes out, and what should have: each statistic of outputs and targets computed a second, naive way."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

import trainhealth
from trainhealth.hooks.probes.outputs import LARGEST
from trainhealth.series import RunView

OUTPUTS = ("output_example_std", "output_std", "output_minimum", "output_maximum")
CLASSES = ("batch_classes", "batch_majority_share", "classes_seen", "majority_share", "minority_share")


def trained(
    folder: Path,
    model: nn.Module,
    batches: Sequence[tuple[Any, Tensor]],
    criterion: Callable[[Any, Tensor], Tensor],
    *,
    given: Callable[[Any, Tensor], dict[str, Any]] = lambda outputs, targets: {"outputs": outputs, "targets": targets},
) -> RunView:
    """Watch a training on `batches`, every step sampled; `given` makes the keywords of `step`."""
    with trainhealth.watch(model, run_dir=folder / "run", overhead=1.0) as watch:
        for inputs, targets in batches:
            outputs = model(inputs)
            loss = criterion(outputs, targets)
            loss.backward()
            watch.step(loss, **given(outputs, targets))
    view = trainhealth.load(folder / "run").view
    assert not [event for event in view.events if event.event.endswith("-disabled")]
    return view


def values(view: RunView, signal: str) -> list[float]:
    return view.series(signal).values.tolist()


class Fixed(nn.Module):
    """Returns its input, multiplied by a one that can be trained: the test chooses the outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.one


def nothing(outputs: Any, targets: Tensor) -> dict[str, Any]:
    return {}


@pytest.mark.parametrize("given", [True, False], ids=["passed to step", "from the forward"])
def test_spread_and_range_of_outputs(tmp_path: Path, given: bool) -> None:
    """They are the same, whether the script passes its outputs or the model's forward shows them."""
    torch.manual_seed(0)
    outputs = torch.randn(6, 4) * 3 + torch.arange(4.0)
    arguments = {} if given else {"given": nothing}
    view = trained(tmp_path, Fixed(), [(outputs, torch.tensor([0, 1, 2, 3, 0, 1]))], F.cross_entropy, **arguments)
    x = outputs.double()
    expected = [(x - x.mean(0)).square().mean().sqrt(), x.std(correction=0), x.min(), x.max()]
    assert [values(view, name)[0] for name in OUTPUTS] == pytest.approx([float(e) for e in expected], rel=1e-4)


def test_outputs_that_do_not_depend_on_the_input(tmp_path: Path) -> None:
    """Collapsed outputs differ between units and not between examples."""
    view = trained(tmp_path, Fixed(), [(torch.arange(5.0).repeat(8, 1), torch.zeros(8).long())], F.cross_entropy)
    assert values(view, "output_example_std") == [0.0]
    assert values(view, "output_std") == [pytest.approx(math.sqrt(2), rel=1e-4)]


@pytest.mark.parametrize("shape", [(8, 5), (4, 6, 5), (2, 5, 3, 4)], ids=["classes", "tokens", "pixels"])
def test_predictions_along_the_class_axis(tmp_path: Path, shape: tuple[int, ...]) -> None:
    """Sums and predictions follow the class axis: of [N, C], of tokens [N, T, C], of pixels [N, C, H, W]."""
    torch.manual_seed(0)
    axis = shape.index(5)
    outputs = torch.randn(shape) + torch.tensor([3.0, 0.0, 0.0, 0.0, 0.0]).view([-1 if n == 5 else 1 for n in shape])
    targets = torch.randint(0, 5, [n for i, n in enumerate(shape) if i != axis])
    items = outputs.movedim(axis, -1).reshape(-1, 5)

    def criterion(o: Tensor, t: Tensor) -> Tensor:
        return F.cross_entropy(o.movedim(axis, -1).reshape(-1, 5), t.reshape(-1))

    view = trained(tmp_path / "passed", Fixed(), [(outputs, targets)], criterion)
    share = Counter(items.argmax(1).tolist()).most_common(1)[0][1] / len(items)
    assert values(view, "prediction_majority_share") == [pytest.approx(share, rel=1e-4)]
    assert values(view, "output_sum_error") == [pytest.approx(float((items.sum(1) - 1).abs().max()), rel=1e-4)]
    # without them the class axis is known from the second step on: the first loss has told the number of classes
    quiet = trained(tmp_path / "quiet", Fixed(), [(outputs, targets)] * 2, criterion, given=nothing)
    assert quiet.series("prediction_majority_share").steps.tolist() == [1]
    assert values(quiet, "prediction_majority_share") == [pytest.approx(share, rel=1e-4)]
    distribution = trained(tmp_path / "softmax", Fixed(), [(outputs.softmax(axis), targets)], criterion)
    assert values(distribution, "output_sum_error")[0] < 1e-6


@pytest.mark.parametrize(
    ("criterion", "threshold"), [(F.binary_cross_entropy, 0.5), (F.binary_cross_entropy_with_logits, 0)]
)
def test_predictions_of_a_binary_classifier(
    tmp_path: Path, criterion: Callable[[Tensor, Tensor], Tensor], threshold: float
) -> None:
    """One output an example is judged by the loss's threshold, and its targets are two classes."""
    torch.manual_seed(0)
    outputs, targets = torch.rand(10, 1), torch.tensor([1.0, 0, 0, 0, 0, 0, 0, 1, 0, 1]).view(10, 1)
    view = trained(tmp_path, Fixed(), [(outputs, targets)], criterion)
    positive = float((outputs > threshold).float().mean())
    assert values(view, "prediction_majority_share") == [pytest.approx(max(positive, 1 - positive), rel=1e-4)]
    assert [values(view, name)[0] for name in CLASSES] == pytest.approx([2, 0.7, 2, 0.7, 0.3])
    assert not len(view.series("output_sum_error"))


@pytest.mark.parametrize("criterion", [F.mse_loss, F.binary_cross_entropy_with_logits], ids=["numbers", "many labels"])
def test_outputs_that_are_no_classes(tmp_path: Path, criterion: Callable[[Tensor, Tensor], Tensor]) -> None:
    """A regression, or several labels an example, has no majority, and its targets no class."""
    batch = (torch.randn(8, 3), torch.tensor([[1.0, 1.0, 0.0]]).repeat(8, 1))
    view = trained(tmp_path, Fixed(), [batch] * 2, criterion)
    for signal in ("prediction_majority_share", "output_sum_error", *CLASSES):
        assert not len(view.series(signal)), signal


def test_target_range(tmp_path: Path) -> None:
    """Minimum, maximum, mean and deviation of a regression's targets."""
    targets = torch.tensor([[1.5], [-2.0], [4.0], [0.5]])
    view = trained(tmp_path, Fixed(), [(torch.zeros(4, 1), targets)], F.mse_loss)
    names = ("target_minimum", "target_maximum", "target_mean", "target_std")
    expected = [-2.0, 4.0, 1.0, float(targets.std(correction=0))]
    assert [values(view, name)[0] for name in names] == pytest.approx(expected, rel=1e-4)
    assert view.facts["target_dtype"] == "float32"
    assert view.facts["target_integers"] is False


def test_classes_of_the_batch_and_of_all_batches(tmp_path: Path) -> None:
    """Shares in each batch and over all; what the loss ignores belongs to no class and not to the range."""
    batches = [torch.tensor(b) for b in ([0, 0, 0, 3], [1, 1, 0, -100], [-100, -100, -100, -100])]
    view = trained(tmp_path, Fixed(), [(torch.zeros(4, 5), b) for b in batches[:2]], F.cross_entropy)
    counts: Counter[int] = Counter()
    for step, batch in enumerate(batches[:2]):
        here = Counter(batch[batch >= 0].tolist())
        counts += here
        shares = [n / sum(counts.values()) for n in counts.values()]
        expected = [len(here), max(here.values()) / sum(here.values()), len(counts), max(shares), min(shares)]
        assert [values(view, name)[step] for name in CLASSES] == pytest.approx(expected, rel=1e-4)
    assert (values(view, "target_minimum"), values(view, "target_maximum")) == ([0, 0], [3, 1])
    ignored = trained(tmp_path / "ignored", Fixed(), [(torch.zeros(4, 5), batches[2])], F.cross_entropy)
    assert values(ignored, "batch_classes") == [0]
    assert not len(ignored.series("majority_share").finite())


def test_probabilities_as_targets_count_as_their_most_probable_class(tmp_path: Path) -> None:
    """One-hot targets, smoothed ones and those of mixup."""
    hot = F.one_hot(torch.tensor([0, 0, 2, 0]), 3).float()
    for number, targets in enumerate((hot, hot * 0.9 + 0.1 / 3, 0.7 * hot + 0.3 * hot.flip(0))):
        view = trained(tmp_path / str(number), Fixed(), [(torch.randn(4, 3), targets)], F.cross_entropy)
        assert values(view, "batch_classes") == [2], number
        assert values(view, "batch_majority_share") == [0.75], number
        assert view.facts["classes"] == 3
    one_hot = trained(tmp_path / "mse", Fixed(), [(torch.randn(4, 3), hot)], F.mse_loss)
    assert values(one_hot, "batch_majority_share") == [0.75]
    assert one_hot.facts["target_one_hot"] is True


def test_targets_that_the_graph_still_holds(tmp_path: Path) -> None:
    """Where `step` stands before backward, or the graph is kept, targets are read from it: no need to pass them."""
    model, targets = Fixed(), torch.tensor([0, 1, 1, 1])
    with trainhealth.watch(model, torch.optim.SGD(model.parameters(), lr=0.1), run_dir=tmp_path / "run") as watch:
        loss = F.cross_entropy(model(torch.randn(4, 3)), targets)
        loss.backward(retain_graph=True)
        watch._recorder.optimizers[0].step()
        watch.step(loss)
    view = trainhealth.load(tmp_path / "run").view
    assert values(view, "batch_majority_share") == [0.75]
    assert values(view, "batch_classes") == [2]


@dataclass
class Answer:
    """What some libraries return."""

    loss: Tensor
    extra: tuple[Tensor, ...]
    logits: Tensor


class Wrapped(nn.Module):
    """Returns its logits in one of many ways."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.inner, self.how = Fixed(), how

    def forward(self, x: Tensor) -> Any:
        logits = self.inner(x)
        hidden = logits[:, :1] * 100
        return {
            "tuple": lambda: (logits, hidden),
            "mapping": lambda: {"hidden": hidden, "logits": logits},
            "dataclass": lambda: Answer(logits.sum(), (hidden,), logits),
            "nested": lambda: {"loss": logits.sum(), "all": [(logits,), hidden]},
            "scalar": logits.sum,
        }[self.how]()


@pytest.mark.parametrize("given", [True, False], ids=["passed to step", "from the forward"])
@pytest.mark.parametrize("how", ["tuple", "mapping", "dataclass", "nested", "scalar"])
def test_outputs_however_they_are_wrapped(tmp_path: Path, how: str, given: bool) -> None:
    """The prediction is what is called logits, else the first tensor with an axis; a lone scalar has no statistics."""
    torch.manual_seed(0)
    outputs = torch.randn(6, 4)

    def criterion(o: Any, t: Tensor) -> Tensor:
        logits = {"tuple": lambda: o[0], "mapping": lambda: o["logits"], "dataclass": lambda: o.logits}
        logits |= {"nested": lambda: o["all"][0][0], "scalar": lambda: o}
        return logits[how]().square().mean()

    arguments: dict[str, Any] = {} if given else {"given": nothing}
    view = trained(tmp_path, Wrapped(how), [(outputs, torch.zeros(6))], criterion, **arguments)
    expected = [] if how == "scalar" else [pytest.approx(float(outputs.std(correction=0)), rel=1e-4)]
    assert values(view, "output_std") == expected


def test_a_distribution_is_not_asked_for_its_logits(tmp_path: Path) -> None:
    """Its property would compute them and keep them without their graph: the training would change."""

    class Policy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(3, 4)

        def forward(self, x: Tensor) -> torch.distributions.Categorical:
            return torch.distributions.Categorical(probs=self.fc(x).softmax(1))

    view = trained(tmp_path, Policy(), [(torch.randn(5, 3), torch.zeros(5).long())], lambda o, t: -o.log_prob(t).mean())
    assert not len(view.series("output_std"))
    assert len(view.series("train_loss")) == 1


def test_very_large_outputs_are_bounded_without_bias(tmp_path: Path) -> None:
    """A vocabulary for every token: range from all of it, the rest from an even part."""
    torch.manual_seed(0)
    outputs = torch.randn(8, 64, 3 * LARGEST // 512 + 1) + torch.linspace(0, 3, 64).view(1, 64, 1)
    outputs[..., 7] += 9.0
    outputs[3, 5, 11] = -50.0
    view = trained(
        tmp_path,
        Fixed(),
        [(outputs, torch.full((8, 64), 7))],
        lambda o, t: F.cross_entropy(o.flatten(0, 1), t.flatten()),
    )
    assert values(view, "output_minimum") == [-50.0]
    assert values(view, "output_std") == [pytest.approx(float(outputs.std()), rel=0.02)]
    assert values(view, "prediction_majority_share")[0] > 0.95


def test_half_precision_outputs(tmp_path: Path) -> None:
    """Statistics of bfloat16 outputs are computed in float32."""
    outputs = torch.full((64, 4), 300.0, dtype=torch.bfloat16)
    outputs[::2] = -300.0
    view = trained(tmp_path, Fixed().bfloat16(), [(outputs, torch.zeros(64))], lambda o, t: o.float().square().mean())
    assert values(view, "output_std") == [pytest.approx(300.0, rel=1e-3)]


def test_outputs_and_targets_count_where_the_forward_is_not_seen(tmp_path: Path) -> None:
    """A script that calls `model.forward` itself shows no forward; what it passes is there all the same."""
    model = Fixed()
    with trainhealth.watch(model, run_dir=tmp_path / "run") as watch:
        outputs = model.forward(torch.randn(4, 3))
        loss = F.cross_entropy(outputs, torch.tensor([0, 0, 1, 2]))
        loss.backward()
        watch.step(loss, outputs=outputs, targets=torch.tensor([0, 0, 1, 2]))
    view = trainhealth.load(tmp_path / "run").view
    assert values(view, "batch_majority_share") == [0.5]
    assert len(view.series("output_std")) == 1


def test_micro_batches_are_judged_by_the_first(tmp_path: Path) -> None:
    """Under gradient accumulation outputs and targets are the first micro-batch's, as the forward's are."""
    model = Fixed()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with trainhealth.watch(model, optimizer, run_dir=tmp_path / "run") as watch:
        for number in (1, 2, 3):
            outputs, targets = model(torch.full((4, 3), float(number))), torch.full((4,), number - 1)
            loss = F.cross_entropy(outputs, targets)
            loss.backward()
            if number == 3:
                optimizer.step()
            watch.step(loss, outputs=outputs, targets=targets)
    view = trainhealth.load(tmp_path / "run").view
    assert (values(view, "output_maximum"), values(view, "target_maximum")) == ([1.0], [0.0])


@pytest.mark.parametrize(
    "targets",
    [torch.empty(0), torch.zeros(4, dtype=torch.cfloat), torch.zeros(4, device="meta"), torch.zeros(4).to_sparse()],
    ids=["empty", "complex", "meta", "sparse"],
)
def test_odd_targets_are_survived(tmp_path: Path, targets: Tensor) -> None:
    """What has no statistics is passed over, and the rest of the sample stands."""
    model = Fixed()
    with trainhealth.watch(model, run_dir=tmp_path / "run") as watch:
        loss = model(torch.randn(4, 3)).sum()
        loss.backward()
        watch.step(loss, targets=targets)
    view = trainhealth.load(tmp_path / "run").view
    assert len(view.series("output_std")) == 1
    assert not len(view.series("target_minimum"))
