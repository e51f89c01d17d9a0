"""A training with a learning rate that is far too high: the callback ends it. Then: trainhealth check runs/skorch."""

import numpy as np
from skorch import NeuralNetRegressor
from torch import nn

from trainhealth_skorch import TrainHealthCallback

inputs = np.random.default_rng(0).normal(size=(512, 10)).astype("float32")
net = NeuralNetRegressor(
    nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1)),
    max_epochs=20,
    lr=5.0,
    batch_size=32,
    callbacks=[TrainHealthCallback("runs/skorch", stop_on="critical")],
)
net.fit(inputs, inputs.sum(1, keepdims=True))
