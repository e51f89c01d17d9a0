"""Tables among printed text, and what looks like one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.readers.reading import read, signals

_YOLO_7 = """\
     Epoch   gpu_mem       box       obj       cls     total    labels  img_size
                 all         195         882       0.118       0.151       0.047     0.00886
\r     {0}/299     7.8G   0.08000   0.02500    0.0100    0.1150        30       640:   3%|3       | 1/38 [00:09<05:55]\
\r     {0}/299     7.8G   0.07500   0.02500    0.0250    0.1250        30       640: 100%|########| 38/38 [00:45<00:00]
               Class      Images      Labels           P           R      mAP@.5  mAP@.5:.95
"""
_YOLO_8 = """\
      Epoch    GPU_mem   box_loss   cls_loss   dfl_loss  Instances       Size
        {0}/300      2.11G    0.07500    0.02500    0.02500         34        640: 100% ---------- 13/13 3.2it/s 4.1s
                 Class     Images  Instances      Box(P          R      mAP50  mAP50-95): 100% ---------- 1/1
                   all          4         17      0.643      0.537      0.609      0.448
"""


@pytest.mark.parametrize("log", [_YOLO_7, _YOLO_8], ids=["parts and total", "parts"])
def test_the_console_of_ultralytics_trainers_is_a_table(log: str, tmp_path: Path) -> None:
    """A row ends where its progress bar begins; the losses are parts, whose sum was minimised."""
    view = read(tmp_path, "".join(log.format(epoch) for epoch in (3, 4)))
    assert signals(view) == {"train_loss": {3: pytest.approx(0.125), 4: pytest.approx(0.125)}}


def test_a_part_that_stands_below_its_name_may_be_mapped(tmp_path: Path) -> None:
    """As it is called in the log."""
    view = read(tmp_path, "".join(_YOLO_8.format(epoch) for epoch in (3, 4)), names={"train_loss": "box_loss"})
    assert signals(view) == {"train_loss": {3: 0.075, 4: 0.075}}


def test_names_beside_their_numbers_are_no_header(tmp_path: Path) -> None:
    """Two spaces between them do not make columns."""
    log = "epochs  1 loss: 2.5  val_loss  3.5\nepochs  2 loss: 2.25  val_loss  3.25\n"
    assert signals(read(tmp_path, log)) == {"train_loss": {1: 2.5, 2: 2.25}, "validation_loss": {1: 3.5, 2: 3.25}}
