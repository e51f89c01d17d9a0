"""fastai's ``history.csv`` (CSVLogger): a row an epoch; metrics without a split are of validation."""

from __future__ import annotations

from typing import ClassVar

from trainhealth.readers.table import TableReader, header_of


class FastaiReader(TableReader):
    """Reads a row an epoch; the time ("00:12") is no number and is passed over."""

    name = "fastai"
    files = ("history.csv",)
    sample: ClassVar[tuple[str, bytes]] = (
        "history.csv",
        b"epoch,train_loss,valid_loss,accuracy,time\n0,1.2345,1.1234,0.5678,00:12\n1,1.0021,1.0456,None,00:12\n",
    )

    @classmethod
    def sniff(cls, head: bytes, file_name: str) -> float:
        """Recognise its first and last columns."""
        header = header_of(head)
        return 0.8 if header[:3] == ["epoch", "train_loss", "valid_loss"] and header[-1] == "time" else 0.0

    def split_of(self, column: str) -> str:
        """Metrics are measured in validation."""
        return "train" if "loss" in column else "validation"
