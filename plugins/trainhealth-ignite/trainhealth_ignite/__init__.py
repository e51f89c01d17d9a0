"""Watch an Ignite engine with trainhealth: ``TrainHealthHandler(model, optimizer).attach(trainer)``."""

from trainhealth_ignite.handler import TrainHealthHandler

__all__ = ["TrainHealthHandler"]
