"""A budget of processor time: work that may be done later is done when it has been earned."""

from __future__ import annotations

LONGEST_WAIT = 12.0  # seconds until the next piece of work, whatever the last one has cost: half a second at 4 %


class Budget:
    """Grants a share of one core, and saves up what is not used, to `allowance` seconds at most."""

    def __init__(self, share: float, allowance: float, now: float) -> None:
        self._share, self._allowance = share, allowance
        self._credit, self._since = allowance, now

    def affords(self, now: float) -> bool:
        """Tell whether the next piece of work may begin: whether what was spent has been earned."""
        self._earn(now)
        return self._credit >= 0

    def spend(self, seconds: float, now: float) -> None:
        """Take note of what a piece of work has cost."""
        self._earn(now)
        self._credit = max(self._credit - seconds, -LONGEST_WAIT * self._share)

    def _earn(self, now: float) -> None:
        self._credit = min(self._credit + self._share * max(now - self._since, 0.0), self._allowance)
        self._since = now
