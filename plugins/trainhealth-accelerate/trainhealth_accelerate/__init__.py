"""Watch a training loop of Accelerate with trainhealth: ``Accelerator(log_with=TrainHealthTracker())``."""

from trainhealth_accelerate.tracker import TrainHealthTracker

__all__ = ["TrainHealthTracker"]
