"""Rules about the training loss itself."""
