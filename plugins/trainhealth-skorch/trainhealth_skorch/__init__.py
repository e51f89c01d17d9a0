"""Watch a skorch net with trainhealth: ``NeuralNetClassifier(…, callbacks=[TrainHealthCallback()])``."""

from trainhealth_skorch.callback import TrainHealthCallback

__all__ = ["TrainHealthCallback"]
