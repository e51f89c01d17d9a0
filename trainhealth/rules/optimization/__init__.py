"""Rules about the optimizer, its rate and its schedule."""
