"""Names of columns cut into words, as people write them."""

from __future__ import annotations

import pytest

from trainhealth.column_words import cut


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("val_loss", "val loss"),
        ("Loss/train", "loss train"),
        ("EpRewMean", "ep rew mean"),
        ("netG_loss", "net g loss"),
        ("errD", "err d"),
        ("gLoss", "g loss"),
        ("GLoss", "g loss"),
        ("trainNLL", "train nll"),
        ("top1Acc", "top1 acc"),
        ("Acc@1", "acc 1"),
        ("val_mAP@50", "val map 50"),
        ("mIoU", "miou"),
        ("meanIoU", "mean iou"),
        ("LOSS", "loss"),
        (" D(x) ", "d x"),
        ("损失", ""),
    ],
)
def test_a_name_is_cut_where_a_person_sees_a_word_begin(column: str, words: str) -> None:
    """At punctuation and capitals, and not within the names of scores that mix them."""
    assert " ".join(cut(column)) == words
