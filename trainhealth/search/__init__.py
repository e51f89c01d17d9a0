"""Searches for hyperparameters: tables of trials -> what matters, where the best lies, where to look next."""
