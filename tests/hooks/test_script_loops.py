"""What an observed script does around its steps: updates that are missing or rare, clipping, weights set back."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.hooks.test_harmless import assert_same
from tests.hooks.test_script import Observed, trained
from trainhealth.hooks.script_steps import Steps
from trainhealth.rules.engine import diagnose
from trainhealth.series import RunView

HEAD = """
import copy
import torch
from torch import nn
F = nn.functional
torch.manual_seed(0)
def batch():
    x = torch.randn(16, 4)
    return x, x.sum(1, keepdim=True)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
"""
EVALUATE = """
    model.eval(); x, y = batch()
    with torch.no_grad(): F.mse_loss(model(x), y)
    model.train()
"""
Look = Callable[[str], RunView]


@pytest.fixture
def look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Look:
    """Return a function that runs these lines after `HEAD`, and returns what is known of their training."""

    def look(script: str) -> RunView:
        path = tmp_path / "script.py"
        path.write_text(HEAD + textwrap.dedent(script) + "\ntorch.save(None, 'result.pt')\n")
        return Observed(str(path.with_suffix("")), tmp_path / "watched", monkeypatch).view

    return look


def codes(view: RunView) -> list[str]:
    return [finding.code for finding in diagnose(view).findings if not finding.caused_by]


# --- updates ---

ACCUMULATED = """
for epoch in range(4):
    optimizer.zero_grad()
    for k in range(10):
        x, y = batch()
        (F.mse_loss(model(x), y) / {every}).backward()
        if (k + 1) % {every} == 0:
            optimizer.step(); optimizer.zero_grad()
"""


def test_a_number_of_accumulated_batches_that_no_epoch_reaches(look: Look) -> None:
    """The update never comes: each backward is a step, so that the log has a loss, and the log says so."""
    view = look(ACCUMULATED.format(every=16))
    assert view.facts["backwards_without_update"] == 40
    assert 20 <= len(view.series("train_loss")) <= 40
    assert codes(view)[0] == "OP13"


def test_accumulation_within_the_epoch_is_as_meant(look: Look) -> None:
    """Updates come: nothing is said, and a step is one of them."""
    view = look(ACCUMULATED.format(every=5))
    assert "backwards_without_update" not in view.facts
    assert len(view.series("train_loss")) == 8
    assert "OP13" not in codes(view)


def test_a_short_script_without_any_update(look: Look) -> None:
    """No zero_grad shows where a step ends, and the run is over before anybody has lost patience."""
    view = look("""
        for _ in range(12):
            x, y = batch()
            F.mse_loss(model(x), y).backward()
    """)
    assert view.facts["backwards_without_update"] == 12
    assert len(view.series("train_loss")) == 12
    assert codes(view)[0] == "OP13"


def test_weights_that_are_moved_by_hand_are_updated(look: Look) -> None:
    """An optimizer may be there for its zero_grad alone."""
    view = look("""
        for _ in range(40):
            x, y = batch()
            optimizer.zero_grad()
            F.mse_loss(model(x), y).backward()
            for parameter in model.parameters():
                parameter.data -= 0.01 * parameter.grad
    """)
    assert "backwards_without_update" not in view.facts


def test_a_script_that_fails_before_its_first_update_is_not_blamed(look: Look) -> None:
    """What was to come nobody knows."""
    script = "for _ in range(12):\n    x, y = batch()\n    F.mse_loss(model(x), y).backward()\nraise SystemExit(3)\n"
    with pytest.raises(SystemExit):
        look(script)


ONCE = (
    "for epoch in range(8):\n    {before}\n    for _ in range(6):\n        x, y = batch()\n{body}\n    {after}"
    + EVALUATE
)


def test_an_update_an_epoch_that_throws_gradients_away(look: Look) -> None:
    """zero_grad stands in the loop over batches and step does not: five of six gradients are for nothing."""
    body = "        optimizer.zero_grad(); F.mse_loss(model(x), y).backward()"
    view = look(ONCE.format(before="pass", body=body, after="optimizer.step()"))
    assert view.facts["backwards_an_update"] == {"backwards": 6, "discarded": 5}
    assert "OP13" in codes(view)


def test_an_update_an_epoch_of_all_gradients_is_counted_and_may_be_meant(look: Look) -> None:
    """Gradient descent on all data: a loss that falls is no reason to complain."""
    body = "        (F.mse_loss(model(x), y) / 6).backward()"
    view = look(ONCE.format(before="optimizer.zero_grad()", body=body, after="optimizer.step()"))
    assert view.facts["backwards_an_update"] == {"backwards": 6, "discarded": 0}


def test_attacks_on_the_inputs_are_no_lost_updates(look: Look) -> None:
    """Adversarial training throws gradients away in each batch, but makes an update in each."""
    view = look("""
        for epoch in range(6):
            for _ in range(5):
                x, y = batch()
                for _ in range(4):
                    x = x.detach().requires_grad_()
                    optimizer.zero_grad(); F.mse_loss(model(x), y).backward()
                    x = x + 0.01 * x.grad.sign()
                optimizer.zero_grad(); F.mse_loss(model(x.detach()), y).backward(); optimizer.step()
            model.eval(); x, y = batch()
            with torch.no_grad(): F.mse_loss(model(x), y)
            model.train()
    """)
    assert view.facts["backwards_an_update"] == {"backwards": 5, "discarded": 4}
    assert "OP13" not in codes(view)


# --- clipping ---

CLIPPED = """
from torch.nn.utils import clip_grad_norm_
for _ in range(10):
    x, y = batch()
    loss = F.mse_loss(model(x), y)
    optimizer.zero_grad()
    {}
    loss.backward()
    {}
    optimizer.step()
    {}
"""
CLIP = "clip_grad_norm_(model.parameters(), max_norm=0.01)"


@pytest.mark.parametrize("place", [0, 2], ids=["before backward", "after the update"])
@pytest.mark.parametrize("clip", [CLIP, "clip_grad_norm_(list(model.parameters()), 0.01)"])
def test_clipping_where_there_is_nothing_to_clip(look: Look, place: int, clip: str) -> None:
    """Before backward gradients are zero, after the update they have been used."""
    view = look(CLIPPED.format(*(clip if i == place else "pass" for i in range(3))))
    assert view.facts["clipping_misplaced"] == 0.01
    assert "OP15" in codes(view)


@pytest.mark.parametrize(
    "calls",
    [
        ("pass", CLIP, "pass"),
        (CLIP, CLIP, "pass"),
        ("clip_grad_norm_(model.parameters(), float('inf'))", "pass", "pass"),
        ("x.grad = x.clone(); clip_grad_norm_([x], 0.01)", "pass", "pass"),
    ],
    ids=["in its place", "there as well", "a look at the norm", "something else"],
)
def test_clipping_that_is_no_mistake(look: Look, calls: tuple[str, str, str]) -> None:
    """It is seen, and nothing is said of it."""
    assert "clipping_misplaced" not in look(CLIPPED.format(*calls)).facts


# --- weights ---

RESET = (
    """
def draw(part):
    if isinstance(part, nn.Linear): part.reset_parameters()
start = copy.deepcopy(model.state_dict())
for epoch in range(5):
    {}
    for _ in range(20):
        x, y = batch()
        optimizer.zero_grad(); F.mse_loss(model(x), y).backward(); optimizer.step()
"""
    + EVALUATE
)


@pytest.mark.parametrize(
    ("setting", "how"), [("model.apply(draw)", "drawn"), ("model.load_state_dict(start)", "loaded")]
)
def test_weights_that_are_set_in_every_epoch(look: Look, setting: str, how: str) -> None:
    """One event an epoch, however many layers it is, but for the first: no training was before it."""
    events = [event for event in look(RESET.format(setting)).events if event.event == "weights-set"]
    assert [(event.step, event.data) for event in events] == [(step, {"how": how}) for step in (20, 40, 60, 80)]


def test_another_model_may_be_made_while_training_goes_on(look: Look) -> None:
    """What is drawn or loaded there is not what is trained."""
    view = look(RESET.format("other = copy.deepcopy(model); other.load_state_dict(start); other.apply(draw)"))
    assert not [event for event in view.events if event.event == "weights-set"]


# --- whose parameters ---

PLAYERS = """
maker, judge = nn.Linear(2, 4), nn.Linear(4, 1)
of_maker = torch.optim.SGD({}.parameters(), lr=0.01)
of_judge = torch.optim.SGD(judge.parameters(), lr=0.01)
for _ in range(30):
    of_judge.zero_grad()
    F.softplus(judge(maker(torch.randn(8, 2)).detach())).mean().backward(); of_judge.step()
    of_maker.zero_grad()
    F.softplus(-judge(maker(torch.randn(8, 2)))).mean().backward(); of_maker.step()
"""


@pytest.mark.parametrize("zero", ["of_maker.zero_grad()", "maker.zero_grad()"])
def test_two_optimizers_of_one_player(look: Look, zero: str) -> None:
    """The other player gets gradients, and nobody moves it; whether the script zeroes them makes no difference."""
    view = look(PLAYERS.format("judge").replace("of_maker.zero_grad()", zero))
    assert view.facts["left_out"] == {"models": ["maker"], "optimizers": ["of_maker", "of_judge"]}
    assert codes(view)[0] == "OP09"


def test_an_optimizer_for_each_player(look: Look) -> None:
    """There is nothing to tell."""
    assert "left_out" not in look(PLAYERS.format("maker")).facts


# --- harm ---


def test_an_end_that_fails_is_told_once(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script goes on after its last step fails to be counted, and the log is closed."""

    def fail(steps: Steps) -> None:
        raise ValueError("no such luck")

    monkeypatch.setattr(Steps, "end", fail)
    with pytest.warns(UserWarning, match="watching the script failed") as warned:
        view = look(ACCUMULATED.format(every=2))
    assert len(warned) == 1
    assert [event.event for event in view.events].count("script-disabled") == 1


def test_a_backward_from_an_edge_of_the_graph(look: Look) -> None:
    """It tells no loss, and the step is one all the same."""
    view = look("""
        for step in range(6):
            x, y = batch()
            optimizer.zero_grad()
            edge = torch.autograd.graph.get_gradient_edge(F.mse_loss(model(x), y))
            torch.autograd.backward([edge], [torch.tensor(1.0)])
            optimizer.step()
        """)
    assert view.last_step == 5
    assert "script-disabled" not in [event.event for event in view.events]


def test_noise_is_no_weight(look: Look) -> None:
    """What needs no gradient is not looked for among the parameters."""
    view = look("""
        def parameters(): raise AssertionError("went through the parameters")
        for step in range(6):
            x, y = batch()
            optimizer.zero_grad()
            F.mse_loss(model(x), y).backward()
            optimizer.step()
            usual, model.parameters = model.parameters, parameters
            nn.init.trunc_normal_(torch.empty(8, 4))
            model.parameters = usual
        """)
    assert "script-disabled" not in [event.event for event in view.events]


def test_such_a_script_trains_the_same_to_the_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Functions that stand in the place of torch's give what torch's give, and leave generators to them."""
    loop = CLIPPED.format("pass", CLIP, "nn.init.normal_(model[0].bias); model.load_state_dict(model.state_dict())")
    path = tmp_path / "script.py"
    path.write_text(HEAD + loop + PLAYERS.format("judge") + "torch.save(list(model.parameters()), 'result.pt')\n")
    name = str(path.with_suffix(""))
    originals = [torch.nn.utils.clip_grad_norm_, torch.nn.init.normal_, torch.nn.Module.load_state_dict]
    alone = trained(name, tmp_path / "alone", monkeypatch)
    assert_same(alone, Observed(name, tmp_path / "watched", monkeypatch).result, name)
    assert originals == [torch.nn.utils.clip_grad_norm_, torch.nn.init.normal_, torch.nn.Module.load_state_dict]
