"""The instrument classifier is trained once, saved and loaded."""

import numpy as np
import pytest

from stemjax.config.categories import CATEGORIES
from stemjax.eval.metrics import instrument_classifier
from stemjax.eval.studies.instrument_training import load_or_train, train
from stemjax.io.errors import UserError
from tests.eval.metrics.test_instrument_classifier import CLICKS, clip, clips


def test_it_is_trained_once_saved_and_loaded(tmp_path):
    calls = []

    def stems(seed):
        def read():
            calls.append(seed)
            return clips(seed, 3)

        return read

    splits = {"train": stems(1), "test": stems(2)}
    first = load_or_train("", tmp_path, splits, "c" * 64)
    assert calls == [1, 2]
    assert first.config.data == "c" * 64 and first.config.training_clips == 9
    assert first.config.held_out["test"].accuracy == 1
    again = load_or_train("", tmp_path, splits, "c" * 64)
    assert calls == [1, 2] and again.sha256 == first.sha256
    assert CATEGORIES[again.answer(clip(CLICKS, 5).audio)] == "drums"
    (folder,) = (tmp_path / "instrument-classifier").iterdir()
    assert "| drums |  |  | 3 |" in (folder / "README.md").read_text()
    other = load_or_train("", tmp_path, splits, "d" * 64)
    assert calls == [1, 2, 1, 2] and other.sha256 == first.sha256
    with pytest.raises(UserError, match="needs songs in train and in another"):
        train(tmp_path / "x", {"train": stems(1)}, "c")
    vectors = [np.zeros((1, 4)), np.ones((1, 4))]
    with pytest.raises(UserError, match="two categories"):
        instrument_classifier.fit(vectors, [3, 3])
