"""Watch a fastai Learner with trainhealth: ``Learner(…, cbs=TrainHealthCallback())``."""

from trainhealth_fastai.callback import TrainHealthCallback

__all__ = ["TrainHealthCallback"]
