"""Twenty examples by heart: healthy models learn them, and of broken ones the cause is named."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import trainhealth
from trainhealth.checkups.batches import Batches, size_of
from trainhealth.checkups.small_sample import attainable, sample_of
from trainhealth.checkups.subject import Subject
from trainhealth.diagnosis import Report
from trainhealth.findings import Confidence


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def examples(classes: int = 4, features: int = 8, count: int = 64) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    return torch.randn(count, features, generator=random), torch.randint(0, classes, (count,), generator=random)


def net(*layers: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    for layer in layers:
        if isinstance(layer, nn.Linear):
            layer.reset_parameters()
    return nn.Sequential(*layers)


def look(model: nn.Module, batch: Any, optimizer: torch.optim.Optimizer | None = None, **settings: Any) -> Report:
    settings = {"loss_fn": nn.CrossEntropyLoss(), "seconds": 3600.0} | settings
    made = torch.optim.Adam(model.parameters(), lr=1e-3) if optimizer is None else optimizer
    return trainhealth.checkup(
        model, batch_or_loader=batch, optimizer=made, only=["overfit"], progress=False, **settings
    )


def test_healthy_classifier_learns_random_labels_by_heart():
    """Labels that mean nothing are learnt all the same: no finding, and the rate that did it."""
    report = look(net(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4)), examples())
    assert not report.findings
    assert report.advice["overfit_rate"] in (1e-3, 1e-2)
    assert report.figures[0].log_y


def test_rate_far_too_low_is_no_finding_of_this_check():
    """Where the optimizer's rate learns nothing, other rates are tried."""
    model = net(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4))
    report = look(model, examples(), torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9))
    assert not report.findings
    assert report.advice["overfit_rate"] > 1e-3


def test_dropout_and_weight_decay_do_not_count():
    """Regularisation is switched off: the question is whether the model can, not whether it may."""
    model = net(nn.Linear(8, 64), nn.ReLU(), nn.Dropout(0.9), nn.Linear(64, 4))
    report = look(model, examples(), torch.optim.Adam(model.parameters(), lr=1e-2, weight_decay=1.0))
    assert not report.findings


def test_regression_is_judged_by_the_variance_explained():
    """Targets around 500 are not learnt by their mean alone."""
    inputs, _ = examples()
    targets = 500 + torch.randn(64, 1, generator=torch.Generator().manual_seed(1))
    model = net(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 1))
    constant = net(nn.Linear(8, 64), nn.Hardtanh(-1e-6, 1e-6), nn.Linear(64, 1))
    settings = {"loss_fn": nn.MSELoss()}
    assert not look(model, (inputs, targets - 500), **settings).findings
    assert look(constant, (inputs, targets), **settings).findings


def test_frozen_layers_are_named_as_what_the_optimizer_lacks():
    """Where Adam on all parameters learns the sample, the finding counts what the optimizer has."""
    model = net(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 4))
    biases = [parameter for parameter in model.parameters() if parameter.dim() == 1]
    (finding,) = look(model, examples(), torch.optim.SGD(biases, lr=0.1)).findings
    assert finding.code == "CU14"
    assert "the optimizer has 68 of 836" in finding.message


def test_narrow_layer_is_called_too_little_capacity():
    """Two examples pass a bottleneck that twenty do not."""
    model = net(nn.Linear(8, 1), nn.Linear(1, 16))
    (finding,) = look(model, examples(classes=16)).findings
    assert "capacity" in finding.message


def test_outputs_that_do_not_depend_on_the_inputs_are_called_a_bug():
    """A model that forgets its inputs learns not even two examples with different labels."""

    class Forgets(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bias = nn.Parameter(torch.zeros(4))

        def forward(self, inputs: Tensor) -> Tensor:
            return self.bias.expand(len(inputs), 4)

    inputs, labels = examples()
    labels[:2] = torch.tensor([0, 1])
    (finding,) = look(Forgets(), (inputs, labels)).findings
    assert "not even 2 are" in finding.message
    assert finding.confidence is Confidence.LIKELY


def test_equal_examples_with_different_labels_are_not_asked_for():
    """What no function can learn is not the model's fault: of equal inputs the most frequent label counts."""
    inputs, labels = examples()
    inputs[:10], labels[:10] = 1.0, torch.arange(10) % 2
    model = net(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 4))
    subject = Subject(model, None, Batches([(inputs, labels)]), nn.CrossEntropyLoss())
    assert attainable(subject, sample_of(subject, 20)) == pytest.approx(0.75)
    assert not look(model, (inputs, labels)).findings


def test_loss_without_a_known_target_gives_a_hint_at_most():
    """A loss with a floor above zero, of which no accuracy can be told, is no proof."""
    inputs, _ = examples()

    def forward(model: nn.Module, batch: Tensor) -> Tensor:
        return (model(batch).mean() - 1.0).square() + 1.0

    (finding,) = look(net(nn.Linear(8, 4)), inputs, loss_fn=None, forward=forward).findings
    assert finding.confidence is Confidence.HINT


def test_without_time_it_says_so():
    """A check that had no time for all rates is not checked, rather than a finding."""
    report = look(net(nn.Linear(8, 1), nn.Sigmoid(), nn.Linear(1, 16)), examples(classes=16), seconds=1e-3)
    assert not report.findings
    assert "no time left" in report.not_checked[0].because


@pytest.mark.parametrize(
    ("batch", "size"),
    [
        ((torch.zeros(32, 3), torch.zeros(32)), 32),
        ({"input_ids": torch.zeros(6, 9), "attention_mask": torch.zeros(6, 9)}, 6),
        (torch.zeros(5, 2), 5),
    ],
)
def test_size_of_a_batch(batch: Any, size: int):
    """The target's length counts, or the first length of most tensors."""
    assert size_of(batch) == size


def test_batch_that_can_not_be_cut_is_used_whole():
    """Sequences along the first axis keep their length."""

    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.head = nn.GRU(3, 8), nn.Linear(8, 2)

        def forward(self, inputs: Tensor) -> Tensor:
            out: Tensor = self.head(self.rnn(inputs)[0][-1])
            return out

    batch = (torch.randn(7, 32, 3), torch.randint(0, 2, (32,)))
    subject = Subject(Last(), None, Batches([batch]), nn.CrossEntropyLoss())
    assert len(sample_of(subject, 20)[1]) == 32
