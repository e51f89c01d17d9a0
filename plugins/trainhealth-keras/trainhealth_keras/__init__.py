"""Watch a Keras 3 model that trains on torch with trainhealth: ``model.fit(…, callbacks=[TrainHealthCallback()])``."""

from trainhealth_keras.callback import TrainHealthCallback

__all__ = ["TrainHealthCallback"]
