"""Rules about how gradients pass through the depth of a model."""
