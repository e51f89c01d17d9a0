"""Everything that touches torch: what is measured in a training loop, when, and how it gets to the file.

Watching never changes, slows or kills what is watched: every entry from torch into this package is guarded, measured,
and leaves nothing behind but one pre-hook at the root of the model and two on the optimizer.
"""
