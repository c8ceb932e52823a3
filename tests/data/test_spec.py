"""`--data`: one folder or several with weights; their manifests tell which kind."""

import json

import pytest

from stemjax.data.drawing.mixture import Mixture
from stemjax.data.prepared.synthetic import SyntheticSet
from stemjax.data.spec import OpenedData, open_data
from stemjax.data.tokens.format import StoreCodec
from stemjax.io.errors import UserError


@pytest.fixture
def opened_folders(monkeypatch, tmp_path):
    """Two prepared folders and a store, their readers replaced by their names."""
    for name, kind in (("a", "prepared"), ("b", "prepared"), ("t", "tokens")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text(json.dumps({"kind": kind}))
    monkeypatch.setattr("stemjax.data.spec.open_prepared", lambda f: ("prepared", f))
    monkeypatch.setattr(
        "stemjax.data.tokens.store.open_tokens", lambda f: ("tokens", f)
    )
    return tmp_path


def test_one_folder_is_itself(opened_folders):
    a = opened_folders / "a"
    assert open_data(str(a)) == OpenedData(False, ("prepared", a))
    t = opened_folders / "t"
    assert open_data(str(t)) == OpenedData(True, ("tokens", t))


def test_several_are_a_mixture_with_weights(opened_folders):
    a, b = opened_folders / "a", opened_folders / "b"
    opened = open_data(f"{a}=2.5, {b}")
    assert opened.data == Mixture((("prepared", a), ("prepared", b)), (2.5, 1.0))
    assert opened.sources == (("prepared", a), ("prepared", b))


def test_a_folder_whose_name_looks_like_a_weight_is_a_folder(opened_folders):
    for name in ("x=3", "x,y"):
        (opened_folders / "a").rename(opened_folders / name)
        path = opened_folders / name
        assert open_data(str(path)).data == ("prepared", path)
        path.rename(opened_folders / "a")
    (opened_folders / "a").rename(opened_folders / "x=3")
    path, b = opened_folders / "x=3", opened_folders / "b"
    for spec, weights in ((f"{path},{b}=2", (1.0, 2.0)), (f"{path}=4,{b}", (4.0, 1.0))):
        mixed = open_data(spec).data
        assert mixed == Mixture((("prepared", path), ("prepared", b)), weights)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("{}/a=much", "'much' is not a number"),
        ("{}/a=nan", "'nan' is not a number above 0"),
        ("{}/a=-1,{}/b", "'-1' is not a number above 0"),
        ("{}/a,{}/t", "cannot be mixed"),
        ("{}/nowhere", "no manifest.json"),
        ("{}", "no manifest.json"),
    ],
)
def test_faults_are_named(opened_folders, spec, said):
    with pytest.raises(UserError, match=said):
        open_data(spec.replace("{}", str(opened_folders)))


def test_a_manifest_that_is_none_is_named(tmp_path):
    (tmp_path / "manifest.json").write_text("[1, 2")
    with pytest.raises(UserError, match="not JSON"):
        open_data(str(tmp_path))


def test_a_split_without_songs_is_seen():
    small = SyntheticSet(0, songs=(1, 0, 1), seconds=1.0)
    assert OpenedData(False, small).has("train")
    assert not OpenedData(False, small).has("validation")


def test_tokens_of_another_codec_are_refused():
    class Store:
        codec = StoreCodec("theirs", "a" * 64, 640, 4, 2048)

    store = OpenedData(True, Store())
    theirs, ours = Store.codec, StoreCodec("ours", "b" * 64, 640, 4, 2048)
    store.check_codec("folder", theirs)
    with pytest.raises(UserError, match="folder: tokens of codec 'theirs', not of 'ou"):
        store.check_codec("folder", ours)
    # audio has no codec
    OpenedData(False, SyntheticSet()).check_codec("folder", ours)
