"""A log of each kind that people have, shaped as its tool writes it, with the tool's quirks."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from tests.readers.databases import mlflow_database, trackio_database
from tests.readers.writers import event_file, wandb_file

ROWS = range(12)
TRAIN = [2.3 * 0.8**row for row in ROWS]
VALID = [2.4 * 0.9**row for row in ROWS]
ACCURACY = [0.1 + 0.05 * row for row in ROWS]


class Kind(NamedTuple):
    """A log: what its file is called, what is in it, and the reader that it belongs to."""

    file: str
    log: bytes
    format: str


def _text(line: Callable[[int], str], rows: Sequence[int] = ROWS, end: str = "\n") -> bytes:
    return "".join(line(row) + end for row in rows).encode()


def _lines(*rows: Mapping[str, object]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def _document(content: object) -> bytes:
    return json.dumps(content, indent=1).encode()


def _own() -> bytes:
    start = {"kind": "start", "step": 0, "time": 1763712000.0, "pid": 4711, "resumed": False}
    steps = [{"kind": "step", "step": row, "time": 1763712000.5 + row, "train_loss": TRAIN[row]} for row in ROWS]
    bad = {"kind": "step", "step": 12, "time": 1763712013.0, "train_loss": "NaN", "skipped": True}
    epoch = {"kind": "epoch", "step": 12, "time": 1763712014.0, "epoch": 0, "values": {"validation_loss": 1.2}}
    return _lines(start, *steps, bad, epoch, {"kind": "end", "step": 13, "time": 1763712015.0, "reason": "closed"})


_EVENTS = "events.out.tfevents.1763712000.host.4711.0"
_HISTORY = [
    {
        "epoch": row / 2,
        "grad_norm": 1.5,
        "learning_rate": 5e-5 * (12 - row),
        "loss": round(TRAIN[row], 4),
        "step": row * 10,
    }
    for row in ROWS
]
_EVALUATED = [
    {"epoch": float(row), "eval_loss": VALID[2 * row], "eval_runtime": 0.5, "step": row * 20} for row in range(6)
]
_YOLO = (
    "epoch",
    "train/box_loss",
    "train/obj_loss",
    "metrics/mAP_0.5",
    "val/box_loss",
    "val/obj_loss",
    "x/lr0",
    "x/lr1",
)

KINDS = {
    "our own log": Kind("events-0.jsonl", _own(), "trainhealth"),
    "TensorBoard, torch": Kind(
        _EVENTS,
        event_file(
            [("train/loss", row, TRAIN[row]) for row in ROWS] + [("eval/loss", row, math.nan) for row in ROWS[::4]]
        ),
        "tensorboard",
    ),
    "TensorBoard, Keras": Kind(
        _EVENTS, event_file([("epoch_loss", row, TRAIN[row]) for row in ROWS], tensors=True), "tensorboard"
    ),
    "W&B": Kind(
        "run-a1b2c3d4.wandb",
        wandb_file(
            [{"train/loss": TRAIN[row], "eval/loss": VALID[row], "_timestamp": 1763712000.5 + row} for row in ROWS]
            + [{"train/loss": "NaN", "note": "x" * 300}]
        ),
        "wandb",
    ),
    "W&B, a chart": Kind(
        "wandb_export.csv",
        b'"Step","calm-river-3 - train_loss","calm-river-3 - train_loss__MIN","calm-river-3 - train_loss__MAX"\n'
        + _text(lambda row: f'"{row * 100}","{TRAIN[row]}","{TRAIN[row]}","{TRAIN[row]}"'),
        "wandb-export",
    ),
    "Hugging Face, trainer_state.json": Kind(
        "trainer_state.json",
        _document({"best_metric": None, "global_step": 110, "log_history": [*_HISTORY, *_EVALUATED], "max_steps": 200}),
        "json",
    ),
    "Hugging Face, console": Kind(
        "train.log",
        _text(
            lambda row: (
                f" {row:2}%|█| {row}/12 [00:0{row % 10}<00:05]\r"
                f"{{'loss': {TRAIN[row]:.4f}, 'grad_norm': nan, 'learning_rate': 5e-05, 'epoch': {row / 100}}}"
            )
        ),
        "text",
    ),
    "Hugging Face, console of version 5": Kind(
        "out.txt",
        _text(lambda row: f"{{'loss': '{TRAIN[row]:.4g}', 'learning_rate': '5e-05', 'epoch': '{row / 10}'}}"),
        "text",
    ),
    "LLaMA-Factory": Kind(
        "trainer_log.jsonl",
        _lines(
            *(
                {"current_steps": row, "total_steps": 99, "loss": TRAIN[row], "lr": 1e-4, "epoch": row / 9}
                for row in ROWS
            ),
            {"current_steps": 12, "total_steps": 99, "eval_loss": 0.5, "epoch": 1.3, "percentage": 12.1},
        ),
        "jsonl",
    ),
    "Lightning": Kind(
        "metrics.csv",
        b"epoch,lr-AdamW,step,train_loss_epoch,train_loss_step,val_loss\r\n"
        + _text(
            lambda row: f"{row},0.001,{row * 50},,{TRAIN[row]},\r\n{row},,{row * 50},{TRAIN[row]},,{VALID[row]}",
            end="\r\n",
        ),
        "lightning",
    ),
    "YOLOv5": Kind(
        "results.csv",
        ",".join(f"{name:>20}" for name in _YOLO).encode()
        + b"\n"
        + _text(
            lambda row: ",".join(f"{cell:>20.5g}" for cell in (row, TRAIN[row], 0.1, 0.5, VALID[row], 0.1, 0.1, 0.01))
        ),
        "ultralytics",
    ),
    "Ultralytics": Kind(
        "results.csv",
        b"epoch,time,train/box_loss,train/cls_loss,metrics/mAP50(B),val/box_loss,val/cls_loss,lr/pg0,lr/pg1\n"
        + _text(lambda row: f"{row + 1},{row * 21.6},{TRAIN[row]},0.2,0.5,{VALID[row]},nan,0.01,0.01"),
        "ultralytics",
    ),
    "Keras, CSVLogger": Kind(
        "training.csv",
        b"epoch,accuracy,loss,val_accuracy,val_loss\n"
        + _text(lambda row: f"{row},{ACCURACY[row]},{TRAIN[row]},NA,{VALID[row] if row < 9 else 'nan'}"),
        "csv",
    ),
    "Keras, history": Kind("history.json", _document({"loss": TRAIN, "val_loss": VALID, "accuracy": ACCURACY}), "json"),
    "a frame of pandas": Kind(
        "history.json",
        _document({"loss": {str(row): TRAIN[row] for row in ROWS}, "lr": {"0": None, "1": 1e-3}}),
        "json",
    ),
    "MMEngine": Kind(
        "scalars.json",
        _lines(
            *(
                row
                for epoch in range(6)
                for row in (
                    {
                        "lr": 0.02,
                        "data_time": 0.1,
                        "loss": TRAIN[epoch],
                        "time": 0.2,
                        "epoch": epoch + 1,
                        "iter": epoch * 69,
                        "step": epoch * 69,
                    },
                    {"accuracy/top1": 43.5 + epoch, "data_time": 0.1, "time": 0.2, "step": epoch + 1},
                )
            )
        ),
        "mmlab",
    ),
    "MMDetection": Kind(
        "20261121_081500.log.json",
        _lines(
            {"env_info": "sys.platform: linux", "seed": 0},
            *(
                {
                    "mode": "train",
                    "epoch": 1 + row // 4,
                    "iter": 50 * (row % 4 + 1),
                    "lr": 0.0,
                    "memory": 4099,
                    "loss": TRAIN[row],
                }
                for row in ROWS
            ),
            {"mode": "val", "epoch": 3, "iter": 9, "lr": 0.01, "bbox_mAP": 0.31, "accuracy_top-1": 43.1},
        ),
        "mmlab",
    ),
    "detectron2": Kind(
        "metrics.json",
        _lines(
            *(
                {"data_time": 0.004, "iteration": row * 20 - 1, "loss_cls": 0.7, "lr": 2e-5, "total_loss": TRAIN[row]}
                for row in range(1, 12)
            ),
            {"bbox/AP": math.nan, "iteration": 239, "data_time": 0.004, "total_loss": 1.9},
        ),
        "detectron2",
    ),
    "fairseq, JSON": Kind(
        "train.log",
        _text(
            lambda row: (
                f'2021-03-08 12:31:{row:02} | INFO | train_inner | {{"epoch": 1, "loss": "{TRAIN[row]:.3f}", '
                f'"num_updates": "{row * 5}", "lr": "2e-05", "gnorm": "20.7"}}\n'
                f'2021-03-08 12:33:{row:02} | INFO | valid | {{"epoch": 1, "valid_loss": "{VALID[row]:.3f}", '
                f'"valid_num_updates": "{row * 5}"}}'
            )
        ),
        "fairseq",
    ),
    "fairseq, simple": Kind(
        "train.log",
        _text(
            lambda row: (
                f"2021-03-08 12:34:{row:02} | INFO | train | epoch {row + 1:03} | loss {TRAIN[row]:.3f} "
                f"| num_updates {row * 5} | lr 4e-05 | gnorm 9.1"
            )
        ),
        "fairseq",
    ),
    "nanoGPT": Kind(
        "out.txt",
        b"number of parameters: 123.59M\n"
        + _text(
            lambda row: (
                f"step {row * 250}: train loss {TRAIN[row]:.4f}, val loss {VALID[row]:.4f}\n"
                f"iter {row * 250}: loss {TRAIN[row]:.4f}, time 64.12ms, mfu 5.80%"
            )
        ),
        "text",
    ),
    "llm.c": Kind(
        "main.log",
        _text(lambda row: f"s:{row} tel:{VALID[row]:.4f}\ns:{row} trl:{TRAIN[row]:.4f} lr:1.2e-06 norm:15.3"),
        "text",
    ),
    "modded-nanogpt": Kind(
        "a1b2.txt",
        b'import torch\ndef main():\n    print(f"step:{step} val_loss:{val_loss:.4f} loss: 3.1")\n====\n'
        + _text(lambda row: f"step:{row * 125}/3375 val_loss:{VALID[row]:.4f} train_time:56100ms step_avg:nanms"),
        "text",
    ),
    "timm, summary": Kind(
        "summary.csv",
        b"epoch,train_loss,eval_loss,eval_top1,eval_top5,lr\n"
        + _text(lambda row: f"{row},{TRAIN[row]},{VALID[row]},{0.4 + row},{2.5 + row},1e-05"),
        "timm",
    ),
    "timm, console": Kind(
        "train.log",
        _text(
            lambda row: (
                f"Train: {row} [ 100/101 (100%)]  Loss: {TRAIN[row]:.3f} (2.5)  Time: 3.5s,  289/s  LR: 1.0e-05\n"
                f"Test: [  48/48]  Loss:   {VALID[row]:.4f} (2.1)  Acc@1:   4.00 (  1.60)  Acc@5:   4.00 (  5.00)"
            )
        ),
        "text",
    ),
    "torchtune": Kind(
        "log_1763712000.txt",
        _text(lambda row: f"Step {row + 1} | loss:{TRAIN[row]:.4f} lr:2e-05 grad_norm:3.2"),
        "text",
    ),
    "fastai": Kind(
        "history.csv",
        b"epoch,train_loss,valid_loss,accuracy,time\n"
        + _text(lambda row: f"{row},{TRAIN[row]},{VALID[row] if row else None},{ACCURACY[row]},00:12"),
        "fastai",
    ),
    "skorch": Kind(
        "history.json",
        _document(
            [
                {
                    "batches": [{"train_loss": 2.5, "train_batch_size": 8}],
                    "epoch": row + 1,
                    "dur": 0.1,
                    "train_loss": TRAIN[row],
                    "train_loss_best": True,
                    "valid_loss": VALID[row],
                    "valid_acc": ACCURACY[row],
                }
                for row in ROWS
            ]
        ),
        "json",
    ),
    "Trackio": Kind("project.db", trackio_database(TRAIN), "sqlite"),
    "MLflow, file store": Kind("loss", _text(lambda row: f"{1763712000123 + row} {TRAIN[row]} {row}"), "mlflow"),
    "MLflow, database": Kind("mlflow.db", mlflow_database(TRAIN), "sqlite"),
    "Stable-Baselines": Kind(
        "progress.csv",
        b"rollout/ep_len_mean,rollout/ep_rew_mean,time/total_timesteps,train/value_loss\r\r\n22.1,22.1,2048,\r\r\n"
        b"rollout/ep_len_mean,rollout/ep_rew_mean,time/total_timesteps,train/value_loss,train/loss\r\r\n"
        + _text(lambda row: f"25.5,{20 + row},{2048 * row},31.2,5.5", end="\r\r\n"),
        "stable-baselines",
    ),
    "Stable-Baselines, console": Kind(
        "ppo.log",
        _text(
            lambda row: (
                f"-------------------------\n| rollout/       |        |\n|    ep_rew_mean | {20 + row}     |\n"
                f"| train/         |        |\n|    value_loss  | {TRAIN[row]:.4f} |\n-------------------------"
            )
        ),
        "text",
    ),
    "GAN, console": Kind(
        "dcgan.log",
        _text(lambda row: f"[{row // 4}/3][{row % 4}/4]\tLoss_D: {TRAIN[row]:.4f}\tLoss_G: 4.5\tD(x): 0.53"),
        "text",
    ),
    "darknet": Kind(
        "yolo.log",
        _text(lambda row: f" {row + 1}: {TRAIN[row]:.6f}, 2.200000 avg loss, 0.001000 rate, 5.7 seconds, 64 images"),
        "darknet",
    ),
    "CSV with decimal commas": Kind(
        "log.csv",
        b"# a note\nepoch;loss;val_loss\r\n"
        + _text(lambda row: f"{row};{TRAIN[row]:.4f};{VALID[row]:.4f}".replace(".", ","), end="\r\n"),
        "csv",
    ),
    "TSV, two runs, repeated header": Kind(
        "log.tsv",
        (b"step\ttrain_loss\tval_loss\n" + _text(lambda row: f"{row}\t{TRAIN[row]}\t{VALID[row]}")) * 2,
        "csv",
    ),
    "JSON lines": Kind(
        "metrics.jsonl",
        _lines(
            *(
                {"epoch": row, "train": {"loss": TRAIN[row]}, "val": {"loss": VALID[row], "acc": ACCURACY[row]}}
                for row in ROWS
            )
        ),
        "jsonl",
    ),
    "text, Keras": Kind(
        "keras.log",
        _text(
            lambda row: (
                f"Epoch {row + 1}/12\n 1/10 [==>...........................] - ETA: 3s - loss: 2.5\r"
                f"\x1b[1m10/10\x1b[0m [==============================] - 1s 10ms/step - loss: {TRAIN[row]:.4f} "
                f"- val_loss: {VALID[row]:.4f}"
            )
        ),
        "text",
    ),
    "text, one's own": Kind(
        "slurm-4711.out",
        b"\xff\xfe"
        + "".join(
            f"Epoch {row}/12: loss {TRAIN[row]:.3f} - val_loss: {VALID[row]:.3f} | lr 1e-3\r\n" for row in ROWS
        ).encode("utf-16-le"),
        "text",
    ),
}
