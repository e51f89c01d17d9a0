"""OP09 frozen-parameters: parameters that should learn get no gradient, or belong to no optimizer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.records import ParameterEntry
from trainhealth.rules.base import Rule, option
from trainhealth.rules.breakdown import Breakdown, poor_loss
from trainhealth.rules.objective import moving_target
from trainhealth.series import RunView


class FrozenParameters(Rule):
    """Parameters that should learn stand still: they are in no optimizer, or no gradient reaches them.

    What it detects
        From the layout: which parameters are trainable (requires_grad), and in a watched optimizer; and from the
        samples, whether they have a gradient (parameter_gradient_norm, loss unit / parameter unit; missing: none).

    Why it matters
        These layers stay as they were drawn, and the others must get along with it, while everything looks as if it
        were trained.

    How it decides
        Weights that each forward makes anew (a layer made in `forward`): the log says so, and it is certain. Likewise a
        model that gets gradients and is in no optimizer, while two optimizers hold the same parameters (trainhealth run
        sees it). Else, over the last `least_samples` samples:
        (1) not optimized: trainable parameters have a gradient and are in no optimizer, while others are. If they are
        the first parameters of the model, up to the first one that is optimized, it may be meant: a note. Layers in a
        plain list or dict (named as in Python: layers[0].weight) are no part of the model at all.
        (2) never stepped: of several optimizers one has made no update in 128 of another one, and its parameters get
        gradients, as the hooks saw them.
        (3) cut off: the weights of the first layers that run, up to some layer, are in the optimizer, get no gradient,
        and do not move, while layers after them get one.
        (4) frozen: at least `most` of the weights (elements) are not trainable, and train_loss is poor: above `poor` of
        the untrained loss, falling no more.

    What to try
        Make the optimizer after the model is in its final form; no detach(), .data, .item() or no_grad() between the
        layers; unfreeze more layers.

    When it is wrong
        Layers that are frozen on purpose (requires_grad=False) while the rest learns well: silent. Unused heads and
        branches get no gradient and are not run; auxiliary heads that run outside of the loss come after layers that
        do learn: both silent. A player, or a part of the model, whose turn comes much later is told of until it comes.
        An optimizer that is not passed to watch holds parameters that then look forgotten. A
        teacher network that runs first, without no_grad, is cut off on purpose.
    """

    code = "OP09"
    name = "frozen-parameters"
    topic = "optimization"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("parameter_gradient_norm",)
    uses = ("train_loss", "update_ratio")
    references = (
        Reference(
            "PyTorch: torch.optim, constructing it",
            "An optimizer updates the parameters that it was given when it was made.",
            "https://docs.pytorch.org/docs/stable/optim.html",
        ),
        Reference(
            "Reg Regularization: transfer learning",
            "With little similar data freeze all but the classifier; with more, and different data, fine-tune more.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        least_samples: int = option(3, "samples", "amazon-science/sagemaker-debugger: unchanged over 3 steps")
        most: float = option(0.5, "share of the weights' elements", "house choice")
        poor: float = option(0.6, "share of the untrained loss", "house choice: as for the other rules")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding for each of the ways in which parameters stand still."""
        if not run.info.optimizers:
            return NotChecked("there is no optimizer to judge: pass it to trainhealth.watch(model, optimizer)")
        gradients = run.columns("parameter_gradient_norm")
        if len(gradients) < options.least_samples:
            return []
        missing = np.isnan(gradients.values[-options.least_samples :])
        having = {place for i, place in enumerate(gradients.places) if not missing[:, i].all()}
        found = [
            self._made_anew(run),
            self._left_out(run),
            self._forgotten(run, having),
            self._never_stepped(run) or self._cut_off(run, having),
            self._frozen(run, having, options),
        ]
        return [finding for finding in found if finding]

    def _made_anew(self, run: RunView) -> Finding | None:
        """Describe weights that each forward makes for itself."""
        shapes = run.facts.get("made_anew")
        gradients = run.columns("parameter_gradient_norm")
        if not isinstance(shapes, list) or not shapes:
            return None
        shape = " x ".join(map(str, shapes[0])) if isinstance(shapes[0], list) else "?"
        return self.finding(
            f"Every forward makes {len(shapes)} {'layer' if len(shapes) == 1 else 'layers'} anew, with weights of"
            f" {shape}: they are random in every step, are in no optimizer, and learn nothing.",
            [Evidence("parameter_gradient_norm", None, 0, run.last_step, 0.0, "one of the layer's own, in each step")],
            [_IN_INIT],
            severity=Severity.CRITICAL,
            confidence=Confidence.CERTAIN,
            first_step=int(gradients.steps[0]),
        )

    def _left_out(self, run: RunView) -> Finding | None:
        """Describe a model that no optimizer holds, where two of them hold another one."""
        told = run.facts.get("left_out")
        if not isinstance(told, dict) or not told.get("models") or not told.get("optimizers"):
            return None
        models, optimizers = " and ".join(map(str, told["models"])), " and ".join(map(str, told["optimizers"]))
        return self.finding(
            f"{optimizers} hold the same parameters, and {models} {'gets' if len(told['models']) == 1 else 'get'}"
            " gradients, but no optimizer.",
            [Evidence("update_ratio", str(told["models"][0]), 0, max(run.last_step, 0), 0.0, "about 0.001")],
            [_OWN],
            severity=Severity.CRITICAL,
            confidence=Confidence.CERTAIN,
        )

    def _forgotten(self, run: RunView, having: set[str]) -> Finding | None:
        """Describe the parameters that have a gradient and no optimizer."""
        forgotten = [p for p in run.parameters if p.trainable and not p.optimized and p.name in having]
        optimized = [index for index, p in enumerate(run.parameters) if p.optimized and p.trainable]
        if not forgotten or not optimized:
            return None
        in_front = {p.name for p in run.parameters[: optimized[0]]}
        gradients = run.columns("parameter_gradient_norm")
        late = {place for i, place in enumerate(gradients.places) if np.isnan(gradients.values[0, i])}
        released = any(p.name in late for p in forgotten)  # frozen at first: somebody wants them to learn now
        meant = all(p.name in in_front for p in forgotten) and not released
        hidden = any("[" in p.name for p in forgotten)  # found in a plain list or dictionary
        where = ", nor registered in the model" if hidden else ", the first of the model" if meant else ""
        return self._describe(
            run,
            forgotten,
            f"{_listed(forgotten)} {_have(forgotten)} gradients, but {_are(forgotten)} in no optimizer{where}.",
            [_REGISTER] if hidden else [_OPTIMIZE, _SWITCH_OFF] if meant else [_OPTIMIZE],
            severity=Severity.NOTE if meant else Severity.WARNING,
            confidence=Confidence.CERTAIN,
        )

    def _never_stepped(self, run: RunView) -> Finding | None:
        """Describe an optimizer that makes no update, while another one does."""
        told = run.facts.get("never_stepped")
        names = told.get("parameters") if isinstance(told, dict) else None
        if not isinstance(told, dict) or not isinstance(names, list) or len(names) != 2:
            return None
        between = f"{names[0]} to {names[1]}" if names[0] != names[1] else f"{names[0]}"
        return self.finding(
            f"The {told.get('type')} of {between} has made no update so far, though these parameters get gradients, and"
            " another optimizer makes its updates.",
            [Evidence("update_ratio", str(names[0]), 0, max(run.last_step, 0), 0.0, "about 0.001")],
            [_STEP_IT],
        )

    def _cut_off(self, run: RunView, having: set[str]) -> Finding | None:
        """Describe the first layers that run, where no gradient reaches them."""
        weights = {p.layer: p for p in run.parameters if p.trainable and p.optimized and len(p.shape) >= 2}
        executed = [weights[entry.name] for entry in run.layers if entry.name in weights]
        reached = [index for index, p in enumerate(executed) if p.name in having]
        if not reached or reached[0] == 0:
            return None
        cut, end = executed[: reached[0]], f"backward ends at {executed[reached[0]].layer}"
        if _move(run, {p.name for p in cut}):
            return None
        several = len(run.info.optimizers) > 1  # then gradients are read where their own optimizer uses them
        return self._describe(
            run,
            cut,
            f"No gradient of {_listed(cut)} is used: {end}, or their optimizer makes no update."
            if several
            else f"No gradient reaches {_listed(cut)}: {end}.",
            [_CONNECT, _STEP_IT] if several else [_CONNECT],
            severity=Severity.WARNING,
            confidence=Confidence.LIKELY,
        )

    def _frozen(self, run: RunView, having: set[str], options: Options) -> Finding | None:
        """Describe the weights that are not trainable, where they are most of the model and the loss is poor."""
        weights = [p for p in run.parameters if len(p.shape) >= 2]
        frozen = [p for p in weights if not p.trainable]
        share = sum(map(_size, frozen)) / max(sum(map(_size, weights)), 1)
        lost: Breakdown | None = None
        if frozen and having and share >= options.most and not moving_target(run):
            lost = poor_loss(run, options.poor)
        if lost is None or lost.kind not in ("stuck", "stalled"):
            return None
        return self._describe(
            run,
            frozen,
            f"{100 * share:.0f} % of the weights are frozen ({_listed(frozen)}); {lost.fact}.",
            [_UNFREEZE],
            severity=Severity.WARNING,
            confidence=Confidence.HINT,
        )

    def _describe(
        self,
        run: RunView,
        parameters: Sequence[ParameterEntry],
        message: str,
        advice: Iterable[Recommendation],
        *,
        severity: Severity,
        confidence: Confidence,
    ) -> Finding:
        last = max(run.last_step, 0)
        return self.finding(
            message,
            [
                Evidence("update_ratio", parameter.name, 0, last, 0.0, "about 0.001")
                for parameter in parameters[:10]  # enough to see which they are
            ],
            advice,
            severity=severity,
            confidence=confidence,
        )


def _move(run: RunView, names: set[str]) -> bool:
    """Tell whether the newest sample has an update of one of the parameters, wherever its gradient was read."""
    ratios = run.columns("update_ratio")
    return len(ratios) > 0 and any(
        place in names and ratio > 0 for place, ratio in zip(ratios.places, ratios.values[-1], strict=True)
    )


def _size(parameter: ParameterEntry) -> int:
    return int(np.prod(parameter.shape))


def _listed(parameters: Sequence[ParameterEntry]) -> str:
    """Return the names in words: all of up to three, else the first and the last.

    >>> one = [ParameterEntry(name=f"{i}.weight", shape=[1]) for i in range(4)]
    >>> _listed(one[:2]), _listed(one)
    ('0.weight and 1.weight', '4 parameters (0.weight to 3.weight)')
    """
    names = [parameter.name for parameter in parameters]
    if len(names) > 3:
        return f"{len(names)} parameters ({names[0]} to {names[-1]})"
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _have(parameters: Sequence[ParameterEntry]) -> str:
    return "have" if len(parameters) > 1 else "has"


def _are(parameters: Sequence[ParameterEntry]) -> str:
    return "are" if len(parameters) > 1 else "is"


_IN_INIT = Recommendation(
    "Make the layer once, in `__init__` (self.head = nn.Linear(…)), and call it in `forward`.",
    "A layer that is made in `forward` has new random weights each time; the optimizer never sees them.",
    "The layer's parameters are in model.parameters(), and train_loss falls.",
    recipe="check-parameter-groups",
)
_STEP_IT = Recommendation(
    "Call step() of this optimizer, too, where the other one's is called, and zero_grad() of both before backward.",
    "Each optimizer changes the parameters that it was given, and only when its own step() is called.",
    "The update ratios of these parameters are about 0.001, and train_loss falls further.",
    "Where one of them is to wait for its turn, this goes away with its first step.",
    "zero-gradients",
)
_OPTIMIZE = Recommendation(
    "Make the optimizer of model.parameters(), after the model is in its final form.",
    "An optimizer updates what it was given when it was made; layers that are replaced or added later are not in it.",
    "The update ratios of these parameters are about 0.001.",
    "New parameters of a running optimizer have no moments yet: optimizer.add_param_group() keeps those of the others.",
    "check-parameter-groups",
    Change("parameters of the optimizer", "some", "all"),
)
_OWN = Recommendation(
    "Make each optimizer of the parameters of its own model: the generator's of the generator's, and so on.",
    "A model whose parameters no optimizer was given stays as it was drawn.",
    "Each model has parameters with update ratios of about 0.001.",
    recipe="check-parameter-groups",
)
_REGISTER = Recommendation(
    "Hold these layers in an nn.ModuleList or nn.ModuleDict, and make the optimizer after that.",
    "In a plain list or dict they are no part of the model: parameters(), to(device) and state_dict() pass them by.",
    "The update ratios of these parameters are about 0.001.",
    "Where they are to stay as they are, call requires_grad_(False) on them.",
    "check-parameter-groups",
)
_SWITCH_OFF = Recommendation(
    "Or call requires_grad_(False) on them, if they are to stay as they are.",
    "Backward then leaves them out, which saves time and memory.",
    "A step takes less time, and train_loss is the same.",
    recipe="unfreeze-layers",
)
_CONNECT = Recommendation(
    "Look for detach(), .data, .item(), numpy(), argmax or torch.no_grad() between these layers and the loss.",
    "Each of them ends the graph, so that backward does not pass.",
    "parameter_gradient_norm has values for these parameters, and their update ratios are about 0.001.",
    recipe="check-parameter-groups",
)
_UNFREEZE = Recommendation(
    "Unfreeze the last of the frozen layers, and train them at a tenth of the rate.",
    "What the frozen layers give is not enough for this task; the last ones are the most specific to the old one.",
    "train_loss falls below where it stands now.",
    "With few data, more weights overfit sooner: watch validation_loss.",
    "unfreeze-layers",
)
