"""trainhealth: a doctor for training runs.

``watch`` streams what a doctor needs from a PyTorch training loop to files; ``check`` diagnoses such files (and
``trainhealth live`` shows them in a terminal while they grow). Importing this package loads neither torch nor textual
nor pandas: the public names are resolved on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trainhealth.checkups.checkup import checkup
    from trainhealth.comparison import Comparison, compare
    from trainhealth.diagnosis import Report, Run, check, load
    from trainhealth.errors import LogError, TrainHealthError, UsageError
    from trainhealth.findings import Finding
    from trainhealth.sweeping import SweepReport, sweep
    from trainhealth.watching import Watch, watch

__version__ = "0.1.0"

__all__ = [
    "Comparison",
    "Finding",
    "LogError",
    "Report",
    "Run",
    "SweepReport",
    "TrainHealthError",
    "UsageError",
    "Watch",
    "check",
    "checkup",
    "compare",
    "load",
    "sweep",
    "watch",
]

_HOMES = {
    "Comparison": "comparison",
    "Finding": "findings",
    "LogError": "errors",
    "Report": "diagnosis",
    "Run": "diagnosis",
    "SweepReport": "sweeping",
    "TrainHealthError": "errors",
    "UsageError": "errors",
    "Watch": "watching",
    "check": "diagnosis",
    "checkup": "checkups.checkup",
    "compare": "comparison",
    "load": "diagnosis",
    "sweep": "sweeping",
    "watch": "watching",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        message = f"trainhealth.{name} needs PyTorch, which is not installed: pip install 'trainhealth[torch]'"
        raise ModuleNotFoundError(message, name="torch") from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
