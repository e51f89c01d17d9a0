"""The JSON lines of OpenMMLab: MMEngine's ``vis_data/scalars.json``, and ``<time>.log.json`` of MMCV before it.

Source: mmengine/visualization/vis_backend.py, mmengine/hooks/logger_hook.py; mmcv/runner/hooks/logger/text.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from trainhealth.readers.base import DEFAULT_NAMES
from trainhealth.readers.clock import Clock
from trainhealth.readers.json_lines import JsonLinesReader, number_in, objects
from trainhealth.readers.names import Names
from trainhealth.records import Record

_SILENT = frozenset(("mode", "epoch", "iter", "step", "time", "data_time", "memory", "eta", "lr", "base_lr"))


class MMLabReader(JsonLinesReader):
    """Reads training and validation rows onto one axis of steps.

    MMCV's `iter` begins anew with every epoch where training goes by epochs. A validation row's own `step` (MMEngine)
    is the epoch's number, and its `iter` (MMCV) the number of validation batches: such rows stand where training was.
    """

    name = "mmlab"
    files = ("vis_data/scalars.json", "*/vis_data/scalars.json", "*.log.json")
    sample: ClassVar[tuple[str, bytes]] = (
        "20261121_081500.log.json",
        b'{"env_info": "sys.platform: linux", "seed": 0}\n'
        b'{"mode": "train", "epoch": 1, "iter": 50, "lr": 0.01, "memory": 4099, "data_time": 0.1, "loss": 2.31}\n'
        b'{"mode": "train", "epoch": 2, "iter": 50, "lr": 0.01, "memory": 4099, "data_time": 0.1, "loss": 1.87}\n'
        b'{"mode": "val", "epoch": 2, "iter": 9, "lr": 0.01, "accuracy_top-1": 43.1}\n',
    )

    def __init__(self, names: Names = DEFAULT_NAMES, file: str = "") -> None:
        super().__init__(names, file)
        self._clock = Clock()

    @classmethod
    def sniff(cls, head: bytes, file_name: str) -> float:
        """Recognise what only these loggers write beside a loss: `mode` and `iter`, `data_time` and `step`."""
        for row in objects(head):
            if "hook_msgs" in row or (row.get("mode") in ("train", "val") and "iter" in row):
                return 0.9
            if {"data_time", "time"} <= row.keys() and ("step" in row or "env_info" in row) and "iteration" not in row:
                return 0.9
        return 0.8 if file_name == "scalars.json" and objects(head) else 0.0

    def row(self, row: dict[str, object]) -> Iterator[Record]:
        """Yield the records of a training row at its step, of another one at the step that training had reached."""
        mode = row.get("mode")
        if mode in ("val", "test") or (mode is None and "iter" not in row):
            split = "test" if mode == "test" else "val"
            values = {f"{split}/{name}": value for name, value in row.items() if name not in _SILENT}
            own = number_in(row, "step") or number_in(row, "epoch")
            step = self._clock.step if self._clock.step is not None else own
            yield from self.rows.records(values, step=step)
            return
        self._clock.epoch = number_in(row, "epoch") if "epoch" in row else self._clock.epoch
        at = number_in(row, "iter")
        if at is not None:
            self._clock.set_step(at)
        values = {name: value for name, value in row.items() if name not in ("step", "iter", "mode")}
        if mode is not None and values.get("lr") == 0:
            del values["lr"]  # MMCV rounds to five decimals: 1e-6 is logged as 0
        yield from self.rows.records(values, step=self._clock.step)
