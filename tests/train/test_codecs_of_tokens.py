"""Which codec, and which shape, a run on a token store has."""

import pytest

from stemjax.config.presets import STEMGEN_MINI, STEMGEN_TINY, fit_to_codec
from stemjax.data.tokens.format import StoreCodec
from stemjax.io.errors import UserError
from stemjax.train.codecs import about_codec, codec_of_tokens

DAC = StoreCodec("dac", "", 512, 9, 1024, sample_rate=44_100)


def changed(run, **changes):
    return type(run)(**{**vars(run), "data": "STORE", **changes})


def test_a_foreign_codec_gives_its_shape_alone():
    run = changed(STEMGEN_TINY)
    codec, shape = codec_of_tokens(run, DAC)
    assert codec is None
    model = fit_to_codec(run.model, shape)
    assert (model.num_codebooks, model.codebook_size) == (9, 1024)
    assert model.frame_rate == 44_100 / 512
    # as many frames as the reader gives: ceil(44100 / 512)
    assert shape.frames(44_100) == 87
    assert about_codec(run, DAC) == {
        "name": "dac",
        "sha256": "",
        "config_sha256": "",
    }


def test_what_a_foreign_codec_cannot_give_is_refused():
    with pytest.raises(UserError, match="STORE: tokens of 'dac'.*leave out --codec"):
        codec_of_tokens(changed(STEMGEN_TINY, codec="codec-mini"), DAC)
    with pytest.raises(UserError, match="give --objective.no-codebook-init"):
        codec_of_tokens(changed(STEMGEN_MINI), DAC)
    # weights that are given start the model, not codebooks
    codec_of_tokens(changed(STEMGEN_MINI, init_from="W"), DAC)


def test_a_codec_of_stemjax_is_loaded_and_checked():
    made_with = StoreCodec("codec-mini", "0" * 64, 640, 4, 2048)
    with pytest.raises(UserError, match="tokens of codec 'codec-mini' .000000000000"):
        codec_of_tokens(changed(STEMGEN_TINY), made_with)
    made_with = StoreCodec("theirs", "0" * 64, 640, 4, 2048)
    with pytest.raises(UserError, match="which is not bundled; give --codec DIR"):
        codec_of_tokens(changed(STEMGEN_TINY), made_with)
