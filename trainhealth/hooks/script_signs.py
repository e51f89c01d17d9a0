"""Loss functions whose targets are -1 and 1: whether a script gives them 0 and 1."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from trainhealth.hooks.tensors import existing, in_dispatch_mode
from trainhealth.hooks.untraced import passing

if TYPE_CHECKING:
    from trainhealth.hooks.recorder import Recorder

SIGNED = {"cosine_embedding_loss": 2, "margin_ranking_loss": 2, "hinge_embedding_loss": 1}  # which argument they are
LOOKS = 4  # calls whose targets are looked at: a batch of both kinds is among them


class SignedTargets:
    """Looks at the targets of the first calls that are trained on.

    The graph behind the loss does not name these functions, and a comparison of two embeddings has no outputs that
    anything else could be read from.
    """

    def __init__(self, safely: Callable[..., None]) -> None:
        self._safely = safely  # calls a function of ours inside the script's
        self._recorder: weakref.ref[Recorder] | None = None
        self._left = 0

    def begin(self, recorder: Recorder) -> None:
        """A run begins, and what is found belongs to it."""
        self._recorder, self._left = weakref.ref(recorder), LOOKS

    def replacement(self, function: str, active: Callable[[], bool]) -> Callable[..., Any]:
        """Return what makes, of a loss function, one whose first calls are seen."""

        def make(original: Callable[..., Any]) -> Callable[..., Any]:
            @passing
            def seen(*args: Any, **kwargs: Any) -> Any:
                result = original(*args, **kwargs)
                if self._left and not torch.compiler.is_compiling() and active():
                    place = SIGNED[function]
                    target = args[place] if len(args) > place else kwargs.get("target")
                    self._safely(self._look, function, target, result)
                return result

            return seen

        return make

    def _look(self, function: str, target: Any, result: Any) -> None:
        """Write down that the targets are 0 and 1: a 0 beside a -1 may leave a pair out on purpose."""
        trained = isinstance(result, Tensor) and result.requires_grad
        if not trained or not isinstance(target, Tensor) or not existing(target) or in_dispatch_mode():
            return
        self._left -= 1
        low, high = torch.aminmax(target.detach())
        recorder = self._recorder() if self._recorder is not None else None
        if (float(low), float(high)) == (0.0, 1.0) and recorder is not None:
            self._left = 0
            recorder.learn("unsigned_targets", function)
