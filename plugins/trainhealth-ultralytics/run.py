"""A detector on sixteen pictures of a square, watched, ended if it breaks. Then: trainhealth check runs/yolo."""

import os
from pathlib import Path

os.environ.setdefault("YOLO_OFFLINE", "true")  # or it asks the net for a newer version of itself

import numpy as np
from PIL import Image
from ultralytics import YOLO

import trainhealth_ultralytics

data = Path("data").resolve()  # sixteen pictures of a bright square
for split in ("train", "val"):
    for number in range(8):
        pixels = np.random.default_rng(number).integers(0, 80, (64, 64, 3), dtype="uint8")
        pixels[16:48, 16:48] = 220
        for kind in ("images", "labels"):
            (data / kind / split).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(data / "images" / split / f"{number}.png")
        (data / "labels" / split / f"{number}.txt").write_text("0 0.5 0.5 0.5 0.5\n")
(data / "data.yaml").write_text(f"path: {data}\ntrain: images/train\nval: images/val\nnames: {{0: square}}\n")

model = YOLO("yolo11n.yaml")
trainhealth_ultralytics.watch(model, "runs/yolo", stop_on="critical")
model.train(
    data=str(data / "data.yaml"),
    epochs=10,
    imgsz=64,
    batch=4,
    nbs=4,
    warmup_epochs=0,
    optimizer="SGD",
    lr0=0.01,
    device="cpu",
    workers=0,
    plots=False,
)
