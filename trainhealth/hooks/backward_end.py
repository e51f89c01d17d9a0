"""The moment at which `backward` has returned: gradients are accumulated, and reduced over the ranks."""

from __future__ import annotations

from collections.abc import Callable

from torch.autograd import Variable


def when_backward_has_ended(call: Callable[[], None]) -> None:
    """Have `call` run at the very end of the backward that is under way.

    The engine runs final callbacks in the order in which they were queued, and DDP queues its own, which waits for the
    reduced gradients, when the last of them is ready: after ours. So ours only queues the next one, which is the last.
    """
    Variable._execution_engine.queue_callback(lambda: Variable._execution_engine.queue_callback(call))
