"""Stable-Baselines' ``progress.csv`` and ``monitor.csv``: reinforcement learning.

The curve to look at is the reward. A policy's loss has no level at which it is good, and a value function's rises when
rewards do: such columns keep their names, and no rule that judges losses reads them.
"""

from __future__ import annotations

from typing import ClassVar

from trainhealth.readers.names import of_reinforcement
from trainhealth.readers.table import TableReader, header_of


class StableBaselinesReader(TableReader):
    """Reads a row a rollout (progress) or an episode (monitor: reward r, length l, time t)."""

    name = "stable-baselines"
    files = ("progress.csv", "monitor.csv", "*.monitor.csv")
    sample: ClassVar[tuple[str, bytes]] = (
        "progress.csv",
        b"rollout/ep_len_mean,rollout/ep_rew_mean,time/total_timesteps,train/value_loss\r\r\n22.1,22.1,2048,\r\r\n"
        b"rollout/ep_len_mean,rollout/ep_rew_mean,time/total_timesteps,train/value_loss,train/loss\r\r\n"
        b"25.5,25.5,4096,31.2,5.5\r\r\n",
    )

    @classmethod
    def sniff(cls, head: bytes, file_name: str) -> float:
        """Recognise the comment line of a monitor, or rewards among a table's columns."""
        if head.startswith(b'#{"t_start"'):
            return 0.9
        header = header_of(head)
        return 0.7 if len(header) > 2 and any(of_reinforcement(column) for column in header) else 0.0
