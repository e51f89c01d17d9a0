"""Thin widgets over the plain functions that draw: they own no data but what they are shown, and no files."""
