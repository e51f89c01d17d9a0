"""Lightning's ``metrics.csv`` (CSVLogger): a row a call of `log`, most cells empty.

Names are the user's; where a metric is logged by step and by epoch, ``_step`` and ``_epoch`` stand behind them. When a
new name appears the file is written anew with a longer header (``tail.py`` notices).
"""

from __future__ import annotations

from typing import ClassVar

from trainhealth.readers.table import TableReader, header_of


class LightningReader(TableReader):
    """Reads rows of which each holds what one call logged."""

    name = "lightning"
    files = ("metrics.csv",)
    sample: ClassVar[tuple[str, bytes]] = (
        "metrics.csv",
        b"epoch,lr-AdamW,step,train_loss_epoch,train_loss_step,val_loss\r\n"
        b"0,0.001,49,,2.31,\r\n0,,99,,2.05,\r\n0,,99,,,1.98\r\n0,,99,2.18,,\r\n",
    )

    @classmethod
    def sniff(cls, head: bytes, file_name: str) -> float:
        """Recognise a table with the two columns that the logger adds, under the logger's name for it."""
        return 0.8 if file_name == "metrics.csv" and {"epoch", "step"} <= {*header_of(head)} else 0.0
