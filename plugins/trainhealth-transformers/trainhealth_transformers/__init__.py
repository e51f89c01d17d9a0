"""Watch the Hugging Face Trainer with trainhealth: ``trainer.add_callback(TrainHealthCallback())``."""

from trainhealth_transformers.callback import TrainHealthCallback

__all__ = ["TrainHealthCallback"]
