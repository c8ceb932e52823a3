"""Estimate of the decoding time: matrix products counted by hand."""

import pytest

from stemjax.config.decode import Guidance
from stemjax.models.flops import flops_per_token
from stemjax.session import timing


def test_products_by_hand(random_model, monkeypatch):
    monkeypatch.setattr(timing, "_flops_per_second", lambda: 1e9)
    model = random_model
    config = model.decode_config(None)  # 4 and 2 steps, three branches
    rate = 1e9 * timing.STEP_EFFICIENCY
    one = 6 * 3 * 100 * flops_per_token(model.config, 100) / 3 / rate
    found = timing.estimate_seconds(model, 100, config, 1)
    assert found == pytest.approx(one)
    assert timing.estimate_seconds(model, 100, config, 3) == pytest.approx(3 * one)
    # 200 frames are three windows of 100 that keep 50
    assert timing.estimate_seconds(model, 200, config, 1) == pytest.approx(3 * one)
    naive = model.decode_config(None, guidance=Guidance.NONE)
    assert timing.estimate_seconds(model, 100, naive, 1) == pytest.approx(one / 3)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "about 1 s"),
        (7.4, "about 7 s"),
        (43.0, "about 40 s"),
        (130.0, "about 2 min"),
        (3600.0, "about 60 min"),
    ],
)
def test_words(seconds, words):
    assert timing.format_duration(seconds) == words
