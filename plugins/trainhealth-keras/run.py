"""A training with a learning rate that is far too high: the callback ends it. Then: trainhealth check runs/keras."""

import os

os.environ["KERAS_BACKEND"] = "torch"  # before Keras is imported

import keras
import numpy as np

from trainhealth_keras import TrainHealthCallback

inputs = np.random.default_rng(0).normal(size=(512, 10)).astype("float32")
model = keras.Sequential([keras.layers.Dense(32, activation="relu"), keras.layers.Dense(1)])
model.compile(optimizer=keras.optimizers.SGD(5.0), loss="mse")
callback = TrainHealthCallback("runs/keras", stop_on="critical")
model.fit(inputs, inputs.sum(1, keepdims=True), epochs=20, validation_split=0.2, verbose=0, callbacks=[callback])
