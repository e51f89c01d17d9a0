"""A chart of Weights & Biases saved as CSV: ``"Step","<run> - <metric>","<run> - <metric>__MIN","…__MAX"``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from trainhealth.readers.table import TableReader, header_of

_BETWEEN = " - "
_BOUNDS = ("__MIN", "__MAX")  # of the values that one point of the chart stands for


class WandbExportReader(TableReader):
    """Reads the first run of the chart; columns of others keep their whole names."""

    name = "wandb-export"
    sample: ClassVar[tuple[str, bytes]] = (
        "wandb_export_2026-11-21T09_15_00.000+01_00.csv",
        b'"Step","calm-river-3 - train_loss","calm-river-3 - train_loss__MIN","calm-river-3 - train_loss__MAX"\n'
        b'"99","2.31","2.31","2.31"\n"199","1.87","1.87","1.87"\n',
    )

    @classmethod
    def sniff(cls, head: bytes, file_name: str) -> float:
        """Recognise a column of a run beside its bounds."""
        header = header_of(head)
        return 0.9 if any(column + _BOUNDS[0] in header and _BETWEEN in column for column in header) else 0.0

    def row(self, row: dict[str, str]) -> Mapping[str, object]:
        """Return the row with the plain names of the first run's metrics, without bounds."""
        runs = [column.rpartition(_BETWEEN)[0] for column in row if _BETWEEN in column]
        return {
            column.removeprefix(f"{runs[0]}{_BETWEEN}") if runs else column: value
            for column, value in row.items()
            if not column.endswith(_BOUNDS)
        }
