"""``trainhealth info``: what a log holds."""

from __future__ import annotations

import math

from trainhealth.cli import main

EXPECTED = """\
run
  format           trainhealth
  run              run
  begun            2026-09-21 14:13 UTC
  model            Net
  parameters       1,200, 1,000 of them trained
  hyperparameters  batch_size=64
  optimizer        AdamW(lr=0.001, betas=[0.9, 0.999])
  state            ended (closed)
  steps            3 of 9, at 10 a second
  epochs           1
  sampled steps    1, now every 64 steps, 2 ms each, 1 % of the time in all,
                   with the second that the start is allowed
  signals          train_loss       3 values, 1 of them not finite
                   learning_rate    1 value (logged when it changes)
                   validation_loss  1 value
                   activation_std   1 sampled step, 1 layer
  events           step 1  probe_failed: The probe x is off.
  skipped lines    line 10: not a JSON object: JSON is malformed: invalid
                   character (byte 0)
"""


def test_info_says_all_that_is_known_of_a_run(write_run, capsys):
    """What is trained, how far it is, what was measured at which cost, and what could not be read."""
    assert main(["info", write_run(losses=(2.0, math.nan, 1.0), tail=b"garbage\n")]) == 0
    assert capsys.readouterr().out == EXPECTED


def test_a_run_without_an_end_says_when_it_last_wrote(write_run, capsys):
    """Whether it is alive can't be known from the log: the time of the last record can."""
    main(["info", write_run(ended=False)])
    assert "state            not ended; last record 2026-09-21 14:13:22 UTC" in capsys.readouterr().out


def test_many_skipped_lines_are_counted_rather_than_listed(write_run, capsys):
    """A log that is broken from some line on does not flood the terminal."""
    main(["info", write_run(tail=b"garbage\n" * 1200)])
    out = capsys.readouterr().out
    assert out.count("not a JSON object") == 10
    assert "and 1,190 more" in out


def test_a_log_that_cannot_be_read_is_an_error(capsys):
    """As with `check`: exit code 3, and the fact on stderr."""
    assert main(["info", "missing"]) == 3
    assert capsys.readouterr().err.startswith("error: missing: there is no such file")
