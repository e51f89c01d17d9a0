"""Watch an Ultralytics training with trainhealth: ``trainhealth_ultralytics.watch(model)``."""

from trainhealth_ultralytics.callbacks import TrainHealthCallbacks, watch

__all__ = ["TrainHealthCallbacks", "watch"]
