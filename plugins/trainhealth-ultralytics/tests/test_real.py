"""A real training by Ultralytics: the protocol that the other tests imitate is the one that it keeps."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import trainhealth
import trainhealth_ultralytics

os.environ.setdefault("YOLO_OFFLINE", "true")  # or it asks the net for a newer version of itself
ultralytics = pytest.importorskip("ultralytics", reason="ultralytics is not installed: pip install ultralytics")

pytestmark = [
    pytest.mark.slow,
    # its own calls, and those of its dependencies
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]


def data_set(folder: Path) -> Path:
    """Write eight pictures with a bright square, the object, for training and for validation."""
    from PIL import Image

    random = np.random.default_rng(0)
    for split in ("train", "val"):
        for kind in ("images", "labels"):
            (folder / kind / split).mkdir(parents=True)
        for number in range(8):
            pixels = random.integers(0, 80, (64, 64, 3), dtype="uint8")
            pixels[16:48, 16:48] = 220
            Image.fromarray(pixels).save(folder / "images" / split / f"{number}.png")
            (folder / "labels" / split / f"{number}.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    description = folder / "data.yaml"
    description.write_text(f"path: {folder}\ntrain: images/train\nval: images/val\nnames: {{0: square}}\n")
    return description


def test_a_detector_is_watched(tmp_path: Path) -> None:
    """Two epochs of four batches, of which two are accumulated once the warm-up allows it."""
    batches: list[tuple[dict[str, float], int]] = []
    epochs: list[dict[str, float]] = []

    def batch_ended(trainer: Any) -> None:
        batches.append(({name: float(value) for name, value in trainer.loss_items.items()}, trainer.accumulate))

    model = ultralytics.YOLO("yolo11n.yaml")
    trainhealth_ultralytics.watch(model, overhead=1.0)
    model.add_callback("on_train_batch_end", batch_ended)
    model.add_callback("on_fit_epoch_end", lambda trainer: epochs.append(dict(trainer.metrics)))
    settings = {"epochs": 2, "imgsz": 64, "batch": 2, "nbs": 4, "warmup_epochs": 1, "optimizer": "SGD", "device": "cpu"}
    model.train(
        data=str(data_set(tmp_path / "data")), project=str(tmp_path / "out"), plots=False, verbose=False, **settings
    )

    run = trainhealth.load(tmp_path / "out" / "train").view
    totals = [sum(parts.values()) for parts, _ in batches]
    losses = run.series("train_loss").values
    assert len(batches) == 8
    assert len(batches) // 2 <= len(losses) < len(batches)
    assert losses[0] == pytest.approx(totals[0], rel=1e-5)
    assert len(epochs) == 3  # the last is of the best checkpoint
    validated = [sum(value for name, value in epoch.items() if name.startswith("val/")) for epoch in epochs[:2]]
    assert run.series("validation_loss").values == pytest.approx(validated, rel=1e-6)
    assert len(run.epochs) == 2
    assert len(run.columns("update_ratio").steps) >= 2
    assert not [event for event in run.events if event.event.endswith("disabled")]
    assert run.series("batch_size").values[0] == 2
    assert run.series("input_maximum").values.max() <= 1
    assert run.ended == "closed"
