"""Rules about modes of modules, and about what stands between the model and its loss."""
