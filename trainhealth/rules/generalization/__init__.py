"""Rules about what the model has learnt for data that it has not seen."""
