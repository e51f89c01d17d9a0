"""What darknet prints: the numbers before their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.readers.reading import read, signals
from trainhealth.readers.darknet import DarknetReader
from trainhealth.readers.text import TextReader

LAYERS = "   layer     filters    size              input                output\n    0 conv     32  3 x 3 / 1   416\n"
REGION = "v3 (mse loss) Region 94 Avg (IOU: 0.69), count: 3, class_loss = 0.71, iou_loss = 0.52, total_loss = 1.23\n"
ITERATION = " {step}: {loss}, 1.463985 avg loss, {rate} rate, 4.178511 seconds, 81088 images, 9.893574 hours left\n"


def test_the_lines_of_iterations_count_and_those_of_layers_do_not(tmp_path: Path) -> None:
    """A rate that is printed as zero was rounded; a loss that is no number says so."""
    rows = [(1, "880.4", "0.000000"), (2, "640.2", "0.000013"), (3, "-nan", "0.000026")]
    log = LAYERS + "".join(REGION * 3 + ITERATION.format(step=step, loss=loss, rate=rate) for step, loss, rate in rows)
    view = read(tmp_path, log)
    assert view.format == "darknet"
    found = signals(view)
    assert found["train_loss"] == pytest.approx({1: 880.4, 2: 640.2, 3: float("nan")}, nan_ok=True)
    assert found["learning_rate"] == {2: 0.000013, 3: 0.000026}


def test_the_classic_form_has_no_word_loss(tmp_path: Path) -> None:
    """That of pjreddie's darknet."""
    log = "Region Avg IOU: 0.3\n1: 8.2, 8.3 avg, 0.001000 rate, 5.2 seconds, 64 images\n"
    assert signals(read(tmp_path, log)) == {"train_loss": {1: 8.2}, "learning_rate": {1: 0.001}}


@pytest.mark.parametrize("beginning", [LAYERS, REGION])
def test_a_log_that_has_only_begun_is_told(beginning: str) -> None:
    """A run that is followed live must not be read as another format until its first iteration is done."""
    head = beginning.encode()
    assert DarknetReader.sniff(head, "train.log") > TextReader.sniff(head, "train.log")
