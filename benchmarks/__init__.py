"""Measured, side by side, never asserted: what watching costs and how fast the tool answers."""
