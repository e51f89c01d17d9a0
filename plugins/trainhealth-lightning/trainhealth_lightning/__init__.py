"""Watch a Lightning training with trainhealth: ``Trainer(callbacks=[TrainHealthCallback()])``."""

from trainhealth_lightning.callback import TrainHealthCallback

__all__ = ["TrainHealthCallback"]
