"""Pass the signals and findings of a run on to TensorBoard or W&B: ``TensorBoardSink(run_dir, writer).update()``."""

from trainhealth_sinks.sinks import TensorBoardSink, WandbSink

__all__ = ["TensorBoardSink", "WandbSink"]
