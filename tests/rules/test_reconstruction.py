"""Autoencoders: targets that are the inputs, how far apart they lie, and reconstructions that are all alike."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

import trainhealth
from trainhealth.rules.activations.collapsed_outputs import CollapsedOutputs
from trainhealth.rules.reconstruction import reconstructs, spread_of_targets
from trainhealth.testing import check_rule, make_run

FACTS = {"loss_function": "mse", "input_shape": [32, 8, 8], "target_shape": [32, 64], "output_shape": [32, 64]}
IMAGES = {"input_mean": 0.3, "target_mean": 0.3, "input_std": 0.5, "target_std": 0.5}
ALIKE = {"output_std": 0.3, "output_example_std": 0.03}  # all outputs are the mean image: examples differ by 0.4


def run_of(facts=None, steps=300, spreads=None, **batch):
    """A run whose outputs differ by `spreads`, a value a sample, or always by 0.03."""
    taken = (0, 8, 16, 32, 64, 128, 256)
    samples = dict.fromkeys(taken, IMAGES | ALIKE | batch)
    for step, spread in zip(taken, spreads or (), strict=False):
        samples[step] = samples[step] | {"output_example_std": spread}
    return make_run([1.0] * steps, batch=samples, facts=FACTS | (facts or {}))


@pytest.mark.parametrize(
    ("facts", "batch", "same"),
    [
        ({}, {}, True),
        ({"loss_function": "binary_cross_entropy"}, {}, True),
        ({}, {"input_std": 0.502}, True),  # a part of a large tensor
        ({}, {"input_std": 0.52}, False),  # noise on the inputs
        ({}, {"target_mean": 0.32}, False),  # the next day's values
        ({"target_shape": [32, 63]}, {}, False),
        ({"input_shape": None}, {}, False),
        ({"input_shape": [32, 1], "target_shape": [32, 1], "output_shape": [32, 1]}, {}, False),  # one number
        ({"loss_function": "binary_cross_entropy_with_logits"}, {}, False),  # outputs of another scale
        ({"loss_function": "cross_entropy"}, {}, False),
    ],
)
def test_targets_that_are_the_inputs_make_an_autoencoder(facts, batch, same):
    """As many numbers an example, of the same mean and deviation in every sample."""
    assert reconstructs(run_of(facts, **batch)) is same


def test_nothing_sampled_is_no_autoencoder():
    """Shapes alone don't tell."""
    assert not reconstructs(make_run([1.0] * 9, facts=FACTS))


def test_the_spread_of_targets_leaves_out_what_differs_from_unit_to_unit():
    """By hand: four units with means of their own, and examples around them."""
    targets = torch.tensor([0.0, 1.0, 2.0, 5.0]) + 0.7 * torch.randn(100, 4)
    whole, between = (float(part.std(correction=0)) for part in (targets, targets.mean(0)))
    run = run_of(target_std=whole, output_std=between, output_example_std=0.0)
    assert spread_of_targets(run) == pytest.approx(float(targets.var(0, correction=0).mean().sqrt()))


def test_reconstructions_that_are_all_alike_are_collapsed_outputs():
    """Just below 0.15 of 0.4, whatever the loss is; not just above, nor before there were 200 steps."""
    (found,) = check_rule(CollapsedOutputs, run_of(output_example_std=0.059))
    assert found.message == (
        "The outputs of the examples of a batch differ by 0.059 (standard deviation), and the examples that they are to"
        " reconstruct by about 0.404: each gets nearly the same answer."
    )
    assert check_rule(CollapsedOutputs, run_of(output_example_std=0.061)) == ()
    assert check_rule(CollapsedOutputs, run_of(output_example_std=0.059, steps=200)) == ()


def test_silent_while_the_outputs_still_move_apart():
    """The mean comes first: an autoencoder that begins to tell its examples apart is on its way."""
    assert check_rule(CollapsedOutputs, run_of(spreads=(0.05, 0.03, 0.02, 0.02, 0.02, 0.022, 0.026))) == ()
    assert check_rule(CollapsedOutputs, run_of(spreads=(0.05, 0.03, 0.02, 0.02, 0.02, 0.022, 0.024)))


@pytest.mark.parametrize(("composed", "advice"), [(True, "Take all terms of the loss"), (False, "Follow example_std")])
def test_another_term_of_the_loss_is_looked_at_first(composed, advice):
    """A divergence that outweighs the reconstruction; without one, a layer has lost the examples."""
    (found,) = check_rule(CollapsedOutputs, run_of({"loss_composed": composed}))
    assert found.recommendations[0].action.startswith(advice)


class Variational(nn.Module):
    """A small variational autoencoder."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.mean, self.log_variance = nn.Linear(20, 32), nn.Linear(32, 4), nn.Linear(32, 4)
        self.decode = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 20))

    def forward(self, inputs):
        hidden = F.relu(self.enter(inputs))
        mean, log_variance = self.mean(hidden), self.log_variance(hidden)
        return self.decode(mean + torch.exp(log_variance / 2) * torch.randn_like(mean)), mean, log_variance


@pytest.mark.parametrize(("reduction", "found"), [("mean", {"AC04"}), ("sum", set())])
def test_a_divergence_summed_beside_a_mean_error_collapses_the_code(tmp_path, reduction, found):
    """The commonest slip in a variational autoencoder, and the same program with both terms as sums."""
    torch.manual_seed(0)
    data = torch.randn(320, 3) @ torch.randn(3, 20) + 0.1 * torch.randn(320, 20)
    data = data / data.std()
    model = Variational()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with trainhealth.watch(model, optimizer, run_dir=tmp_path / "run", overhead=1.0) as watch:
        for _ in range(25):
            for inputs in data[torch.randperm(320)].split(32):
                outputs, mean, log_variance = model(inputs)
                divergence = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum()
                loss = F.mse_loss(outputs, inputs, reduction=reduction) + divergence
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, outputs=outputs, targets=inputs)
    report = trainhealth.check(tmp_path / "run", options={})
    assert {finding.code for finding in report.findings if str(finding.severity) != "note"} == found
