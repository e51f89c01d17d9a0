"""What the log of an observed script says: its steps and losses are the script's own numbers."""

from __future__ import annotations

import multiprocessing
import textwrap
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from tests.hooks.test_script import Observed
from trainhealth.hooks.script_losses import LossCalls
from trainhealth.hooks.script_models import Candidates
from trainhealth.hooks.script_steps import Steps
from trainhealth.rules.engine import diagnose

Run = Callable[[str], Observed]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs a script of this name, or these lines after a few that make a model."""

    def run(script: str) -> Observed:
        name = script
        if "\n" in script:
            head = "import torch\nfrom torch import nn\nF = nn.functional\ntorch.manual_seed(0)\n"
            tail = "\ntorch.save(globals().get('told'), 'result.pt')\n"
            path = tmp_path / "script.py"
            path.write_text(head + textwrap.dedent(script) + tail)
            name = str(path.with_suffix(""))
        return Observed(name, tmp_path / "watched", monkeypatch)

    return run


def test_sums_of_losses_become_means(run: Run) -> None:
    """An evaluation that adds up sums, as it is common, gives the mean over the examples, like the training loss."""
    assert run("plain_loop").view.series("validation_loss").values.tolist() == pytest.approx([1.800454, 1.081777])


def test_a_step_of_a_gan_is_one_of_each_optimizer(run: Run) -> None:
    """Both models are sections of one run; the discriminator's loss is the mean over its two batches."""
    observed = run("gan")
    _, losses, _ = observed.result
    view = observed.view
    assert view.info.model == "netD: Sequential, netG: Sequential"
    assert [optimizer.name for optimizer in view.info.optimizers] == ["netD", "netG"]
    expected = [(real + fake) / 2 + generator for real, fake, generator in losses]
    assert view.series("train_loss").values.tolist() == pytest.approx(expected, rel=1e-6)
    assert not view.has("train_accuracy")


def test_accumulated_batches_are_one_step_of_their_mean_loss(run: Run) -> None:
    """Losses were divided by the number of batches, and multiplied by the scale: the log has neither."""
    observed = run("accumulation")
    _, losses, _ = observed.result
    expected = []
    for epoch in range(3):
        mine = [4 * loss for loss in losses[10 * epoch : 10 * epoch + 10]]
        expected += [sum(mine[:4]) / 4, sum(mine[4:8]) / 4, sum(mine[8:]) / 2]
    assert observed.view.series("train_loss").values.tolist() == pytest.approx(expected, rel=1e-6)


def test_a_step_of_lbfgs_has_the_loss_of_its_first_closure(run: Run) -> None:
    """However often the closure is called, an update is one step."""
    observed = run("lbfgs")
    assert observed.view.series("train_loss").values.tolist() == pytest.approx(observed.result[1], rel=1e-6)


def test_truncated_backpropagation_has_a_step_an_update(run: Run) -> None:
    """Twelve pieces of a sequence are twelve steps."""
    observed = run("truncated_rnn")
    assert observed.view.series("train_loss").values.tolist() == pytest.approx(observed.result[1], rel=1e-6)


def test_a_new_model_is_a_new_run_and_a_new_optimizer_is_not(run: Run) -> None:
    """Two folds are two runs, each with both of its phases and its own evaluation."""
    views = run("folds").views
    assert [len(view.series("train_loss")) for view in views] == [12, 12]
    assert [view.series("validation_loss").steps.tolist() for view in views] == [[12], [12]]
    assert all(any(event.event == "optimizer-added" for event in view.events) for view in views)


def test_an_optimizer_of_all_layers_takes_over_from_one_that_knew_another_head(run: Run) -> None:
    """Trained, given a new head, and trained as a whole again: the body has its gradients in each phase of its own."""
    view = run("""
        body, head = nn.Linear(2, 4), nn.Linear(4, 3)
        model = nn.Sequential(body, head)
        def train(optimizer):
            for _ in range(4):
                optimizer.zero_grad()
                model(torch.randn(8, 2)).square().mean().backward()
                optimizer.step()
        train(torch.optim.SGD(model.parameters(), lr=0.1))
        body.requires_grad_(False)
        model[1] = nn.Linear(4, 2)
        train(torch.optim.SGD(model[1].parameters(), lr=0.1))
        body.requires_grad_(True)
        train(torch.optim.SGD(model.parameters(), lr=0.01))
    """).view
    gradients = view.columns("parameter_gradient_norm")
    assert gradients.steps.tolist() == list(range(12))
    known = np.isfinite(gradients.values[:, gradients.places.index("0.weight")])
    assert known[:4].all()
    assert known[8:].all()


def test_tensors_without_a_module_are_watched_as_well(run: Run) -> None:
    """A regression from scratch has no model; its parameters are watched all the same."""
    view = run("""
        weight = torch.zeros(3, requires_grad=True)
        optimizer = torch.optim.SGD([weight], lr=0.1)
        for _ in range(4):
            loss = ((weight - 1) ** 2).mean()
            optimizer.zero_grad(); loss.backward(); optimizer.step()
    """).view
    assert view.info.model == "LooseTensors"
    assert view.columns("update_ratio").steps.tolist() == [0, 1, 2, 3]
    assert len(view.series("train_loss")) == 4


def test_a_skipped_update_is_a_step_that_says_so(run: Run) -> None:
    """Where the scaler finds an overflow the step is there, marked as skipped, and the next one is on its own."""
    observed = run("""
        model = nn.Linear(2, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
        for step in range(4):
            x = torch.ones(4, 2) * (float("inf") if step == 1 else 1.0)
            loss = F.mse_loss(model(x), torch.ones(4, 1))
            optimizer.zero_grad(); scaler.scale(loss).backward(); scaler.step(optimizer); scaler.update()
    """)
    lines = (observed.script.folders[0] / "events-0.jsonl").read_text().splitlines()
    steps = [line for line in lines if line.startswith('{"kind":"step"')]
    assert ['"skipped":true' in line for line in steps] == [False, True, False, False]


@pytest.mark.parametrize("when", ["before", "between"])
def test_a_script_that_never_updates_has_steps(when: str, run: Run) -> None:
    """Where optimizer.step() is missing, every backward is a step once it is clear that no update is to come."""
    clear = {"before": "optimizer.zero_grad(); ", "between": ""}
    view = run(f"""
        model = nn.Linear(2, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        for _ in range(50):
            {clear[when]}loss = F.mse_loss(model(torch.ones(4, 2)), torch.zeros(4, 1))
            {"" if clear[when] else "optimizer.zero_grad(); "}loss.backward()
    """).view
    assert len(view.series("train_loss")) >= 25
    assert "missing-step" in {finding.name for finding in diagnose(view).findings}


def test_an_attack_on_the_inputs_is_no_batch_of_the_step(run: Run) -> None:
    """A backward whose gradients are cleared before the update does not count in the step's loss."""
    observed = run("""
        model = nn.Linear(2, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        told = []
        for _ in range(3):
            x = torch.ones(4, 2, requires_grad=True)
            F.mse_loss(model(x), torch.zeros(4, 1)).backward()
            optimizer.zero_grad()
            loss = F.mse_loss(model((x + x.grad.sign()).detach()), torch.zeros(4, 1))
            loss.backward(); optimizer.step()
            told.append(loss.item())
    """)
    assert observed.view.series("train_loss").values.tolist() == pytest.approx(observed.result, rel=1e-6)


def test_two_optimizers_of_one_model_make_one_step(run: Run) -> None:
    """One backward and two updates (matrices and vectors apart) are a step with a single loss."""
    observed = run("""
        model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
        both = [torch.optim.SGD([p for p in model.parameters() if p.dim() > 1], lr=0.1),
                torch.optim.Adam([p for p in model.parameters() if p.dim() < 2], lr=0.1)]
        for _ in range(4):
            loss = F.mse_loss(model(torch.ones(4, 2)), torch.zeros(4, 1))
            for one in both: one.zero_grad()
            loss.backward()
            for one in both: one.step()
    """)
    lines = (observed.script.folders[0] / "events-0.jsonl").read_text().splitlines()
    steps = [line for line in lines if line.startswith('{"kind":"step"')]
    assert len(steps) == 4
    assert not any('"losses"' in line for line in steps)
    ratios = observed.view.columns("update_ratio")
    assert (ratios.values[0] > 0).all()


def test_a_critic_that_is_trained_five_times_makes_one_step_with_its_generator(run: Run) -> None:
    """Once the two have taken turns a step ends with the generator's update; the critic's loss is the mean of five."""
    observed = run("""
        critic, generator = nn.Linear(2, 1), nn.Linear(3, 2)
        one = torch.optim.SGD(critic.parameters(), lr=0.01)
        two = torch.optim.SGD(generator.parameters(), lr=0.01)
        told = []
        for _ in range(6):
            mine = []
            for _ in range(5):
                loss = critic(generator(torch.randn(4, 3)).detach()).mean() - critic(torch.randn(4, 2)).mean()
                one.zero_grad(); loss.backward(); one.step()
                mine.append(loss.item())
            loss = -critic(generator(torch.randn(4, 3))).mean()
            two.zero_grad(); loss.backward(); two.step()
            told.append(sum(mine) / 5 + loss.item())
    """)
    losses = observed.view.series("train_loss").values.tolist()
    assert losses[-4:] == pytest.approx(observed.result[-4:], rel=1e-5)


def test_phases_with_an_optimizer_each_are_steps_of_their_own(run: Run) -> None:
    """An optimizer that trains nothing yet is not waited for."""
    view = run("""
        first, second = nn.Linear(2, 2), nn.Linear(2, 1)
        one = torch.optim.SGD(first.parameters(), lr=0.1)
        two = torch.optim.SGD(second.parameters(), lr=0.1)
        for optimizer, model, width in ((one, first, 2), (two, second, 1)):
            for _ in range(5):
                loss = F.mse_loss(model(torch.ones(4, 2)), torch.zeros(4, width))
                optimizer.zero_grad(); loss.backward(); optimizer.step()
    """).view
    assert len(view.series("train_loss")) == 10


def test_a_scripted_model_and_loss_compile(run: Run) -> None:
    """`torch.jit.script` compiles torch's own functions and passes over our hooks; the training is seen."""
    observed = run("""
        import warnings
        warnings.simplefilter("ignore")
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.layer = nn.Linear(2, 3)
            def forward(self, x, y: torch.Tensor):
                return F.cross_entropy(self.layer(x), y)
        model = Net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        scripted = torch.jit.script(model)
        loss = model(torch.ones(4, 2), torch.zeros(4, dtype=torch.long))
        told = [scripted(torch.ones(4, 2), torch.zeros(4, dtype=torch.long)).item()]
        loss.backward()
        optimizer.step()
        torch.jit.script(model)
    """)
    assert observed.view.series("train_loss").values.tolist() == pytest.approx(observed.result, rel=1e-6)


def test_a_compiled_training_step_is_seen(run: Run) -> None:
    """Forward, backward and update inside one compiled function are steps; no graph is broken more than without us."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        observed = run("""
            model = nn.Linear(2, 1)
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            @torch.compile(backend="aot_eager")
            def gradients(x, y):
                optimizer.zero_grad()
                loss = F.mse_loss(model(x), y)
                loss.backward()
                return loss
            told = []
            for _ in range(4):
                told.append(gradients(torch.ones(4, 2), torch.zeros(4, 1)).item())
                optimizer.step()
        """)
    assert observed.view.series("train_loss").values.tolist() == pytest.approx(observed.result, rel=1e-6)


def test_a_forked_child_is_not_watched(run: Run) -> None:
    """What a child process trains is not in the log, and torch's functions are its own again."""
    view = run("""
        import os
        model = nn.Linear(2, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        def step():
            loss = F.mse_loss(model(torch.ones(4, 2)), torch.zeros(4, 1))
            optimizer.zero_grad(); loss.backward(); optimizer.step()
        step()
        child = os.fork()
        if child == 0:
            step()
            os._exit(hasattr(F.mse_loss, "__wrapped__"))
        assert os.waitpid(child, 0)[1] == 0
        step()
    """).view
    assert len(view.series("train_loss")) == 2
    assert not multiprocessing.active_children()


@pytest.mark.parametrize(
    ("owner", "method"),
    [
        (Steps, "backward_ended"),
        (Steps, "update_begins"),
        (Steps, "update_ended"),
        (LossCalls, "_called"),
        (LossCalls, "trained_on"),
        (LossCalls, "take_evaluations"),
        (Candidates, "add"),
        (Candidates, "clear"),
    ],
)
def test_an_error_of_ours_is_one_warning(
    owner: type, method: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever of ours raises, the script ends with its own results, and nothing of torch stays replaced."""
    expected = run("accumulation").result[1]

    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError(f"{method} is broken")

    monkeypatch.setattr(owner, method, broken)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert run("accumulation").result[1] == expected
    assert len([one for one in caught if "is broken" in str(one.message)]) == 1
    assert not hasattr(nn.functional.cross_entropy, "__wrapped__")
