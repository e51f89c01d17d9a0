"""timm's ``summary.csv``: a row an epoch, accuracies in per cent, epochs from 0."""

from __future__ import annotations

from typing import ClassVar

from trainhealth.readers.base import PERCENT
from trainhealth.readers.table import TableReader, header_of


class TimmReader(TableReader):
    """Reads the summary that its training script writes."""

    name = "timm"
    files = ("summary.csv",)
    sample: ClassVar[tuple[str, bytes]] = (
        "summary.csv",
        b"epoch,train_loss,eval_loss,eval_top1,eval_top5,lr\n0,6.93,6.75,1.5,5.8,1e-05\n1,6.5,6.1,4.2,12.1,2e-05\n",
    )

    @classmethod
    def sniff(cls, head: bytes, file_name: str) -> float:
        """Recognise its columns."""
        return 0.8 if {"train_loss", "eval_loss", "eval_top1"} <= {*header_of(head)} else 0.0

    def unit_of(self, column: str) -> str:
        """timm's accuracies are per cent, also while they are below one."""
        return PERCENT if column in ("eval_top1", "train_top1") else ""
