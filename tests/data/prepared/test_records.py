"""Records: what TFDS writes and opens, what is read back, and what is refused."""

import concurrent.futures
import json
import pickle
import shutil

import numpy as np
import pytest
import tensorflow_datasets as tfds
from tensorflow_datasets.core import example_serializer

from stemjax.data.layouts import folder
from stemjax.data.prepare import PrepareArgs, SongLayout, prepare
from stemjax.data.prepared.manifest import content_hash, read_manifest
from stemjax.data.prepared.records import open_prepared, payload_of, to_example
from stemjax.data.prepared.segments import RECORD_SAMPLES, read_stem
from stemjax.io.errors import UserError
from tests.data.made_songs import plain_songs

SECONDS = 12.5  # two records a stem, the second one padded


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return plain_songs(tmp_path_factory.mktemp("songs"), 3, SECONDS)


def made(source, out, **more):
    args = {"layout": SongLayout.FOLDER, "workers": 1, "shard_records": 4, **more}
    prepare(PrepareArgs(input=source, out=out, **args))
    return out


@pytest.fixture(scope="module")
def plain(source, tmp_path_factory):
    return made(source, tmp_path_factory.mktemp("plain") / "out")


@pytest.fixture(scope="module")
def flac(source, tmp_path_factory):
    return made(source, tmp_path_factory.mktemp("flac") / "out", flac=True)


@pytest.fixture(scope="module")
def truth(source):
    """All records in order of song, stem and time, from the files: int16 [12, N]."""
    rows = []
    for song in folder.read_songs(source, None).songs:
        for stem in song.stems:
            audio = np.zeros(2 * RECORD_SAMPLES, np.int16)
            samples = np.rint(read_stem(stem.path) * 32768)
            audio[: len(samples)] = samples
            rows += [audio[:RECORD_SAMPLES], audio[RECORD_SAMPLES:]]
    return np.stack(rows)


def test_a_record_is_what_tfds_would_write():
    audio = np.arange(-500, 500, dtype=np.int16)
    features = tfds.features.FeaturesDict(
        {"audio": tfds.features.Tensor(shape=(None,), dtype=np.int16, encoding="bytes")}
    )
    serializer = example_serializer.ExampleSerializer(features.get_serialized_info())
    theirs = serializer.serialize_example(features.encode_example({"audio": audio}))
    ours = to_example("audio", audio.tobytes())
    assert ours == theirs
    assert bytes(payload_of(theirs)) == audio.tobytes()


@pytest.mark.parametrize("size", [0, 1, 100, 127, 128, 16_383, 16_384, 640_000])
def test_payloads_of_any_size_come_back(size):
    payload = np.random.default_rng(size).bytes(size)
    assert bytes(payload_of(to_example("flac", payload))) == payload


@pytest.mark.parametrize("made_as", ["plain", "flac"])
def test_read_gives_the_samples_in_the_order_asked(made_as, truth, request):
    prepared = open_prepared(request.getfixturevalue(made_as))
    assert len(prepared) == 12
    numbers = [11, 0, 5, 5, 4, 0]  # over three shards, twice the same
    audio = prepared.read(numbers)
    assert audio.dtype == np.int16 and audio.shape == (6, RECORD_SAMPLES)
    np.testing.assert_array_equal(audio, truth[numbers])
    assert prepared.read([]).shape == (0, RECORD_SAMPLES)


def test_tfds_opens_it_and_position_is_record_number(plain, truth):
    source = tfds.builder_from_directory(plain).as_data_source("train")
    assert len(source) == 12
    for position in (0, 3, 4, 11):
        np.testing.assert_array_equal(source[position]["audio"], truth[position])


def test_tfds_opens_flac_too(flac):
    source = tfds.builder_from_directory(flac).as_data_source("train")
    assert source[7]["flac"].dtype == np.uint8
    assert source[7]["flac"][:4].tobytes() == b"fLaC"


def test_the_encoding_shows_in_the_size_not_in_the_samples(plain, flac, truth):
    for split_records in (open_prepared(plain), open_prepared(flac)):
        np.testing.assert_array_equal(split_records.read(range(12)), truth)
    one, other = read_manifest(plain), read_manifest(flac)
    assert [shard["sha256"] for shard in one["shards"]["train"]] == [
        shard["sha256"] for shard in other["shards"]["train"]
    ]
    assert one["content_hash"] != other["content_hash"]  # says how to read it


def test_the_index_is_that_of_the_songs(plain):
    table = open_prepared(plain).index("train")
    assert table.songs == ("song_0", "song_1", "song_2")
    np.testing.assert_array_equal(table.segment_song, [0, 1, 2])
    np.testing.assert_array_equal(table.segment_samples, [12.5 * 32_000] * 3)
    np.testing.assert_array_equal(table.stem_offset, [0, 2, 4, 6])
    np.testing.assert_array_equal(table.stem_category, [4, 0, 4, 0, 4, 0])
    np.testing.assert_array_equal(table.stem_record, [0, 2, 4, 6, 8, 10])
    assert table.stem_rms_db.shape == (6, 600)
    assert table.stem_rms_db.dtype == np.float32
    # A sine of peak 0.3: 20 log10(0.3 / sqrt 2) = -13.47; levels are kept to 0.1 dB, and
    # 0.1 s is not a whole number of periods of every pitch.
    np.testing.assert_allclose(table.stem_rms_db[:, :125], -13.47, atol=0.1)
    np.testing.assert_array_equal(table.stem_rms_db[:, 125:], -120)


def test_an_empty_split_has_an_empty_index(plain):
    table = open_prepared(plain).index("validation")
    assert table.songs == () and table.stem_rms_db.shape == (0, 600)
    np.testing.assert_array_equal(table.stem_offset, [0])


def test_numbers_go_on_from_split_to_split(tmp_path):
    plain_songs(tmp_path / "in", 3)
    (tmp_path / "in" / "train" / "song_0").rename(tmp_path / "in" / "song_0")
    for split, name in [("validation", "song_1"), ("test", "song_2")]:
        (tmp_path / "in" / split).mkdir()
        (tmp_path / "in" / "train" / name).rename(tmp_path / "in" / split / name)
    (tmp_path / "in" / "song_0").rename(tmp_path / "in" / "train" / "song_0")
    prepared = open_prepared(made(tmp_path / "in", tmp_path / "out"))
    numbers = {
        s: prepared.index(s).stem_record for s in ("train", "validation", "test")
    }
    assert {split: list(found) for split, found in numbers.items()} == {
        "train": [0, 1],
        "validation": [2, 3],
        "test": [4, 5],
    }
    assert prepared.first_record("test") == 4
    source = tfds.builder_from_directory(tmp_path / "out").as_data_source("test")
    np.testing.assert_array_equal(source[1]["audio"], prepared.read([5])[0])


def test_many_threads_read_the_same_as_one(plain, truth):
    prepared = open_prepared(plain)
    draws = np.random.default_rng(0).integers(0, 12, (12, 4))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for numbers, audio in zip(draws, pool.map(prepared.read, draws), strict=True):
            np.testing.assert_array_equal(audio, truth[numbers])


def test_it_goes_to_another_process_by_pickle(plain, truth):
    prepared = open_prepared(plain)
    prepared.read([0])
    again = pickle.loads(pickle.dumps(prepared))
    np.testing.assert_array_equal(again.read([3])[0], truth[3])


@pytest.mark.parametrize("numbers", [[12], [-1], [0, 99]])
def test_a_number_out_of_range_is_refused(plain, numbers):
    with pytest.raises(UserError, match="has 12 records"):
        open_prepared(plain).read(numbers)


def test_an_unknown_split_is_refused(plain):
    with pytest.raises(UserError, match="split 'dev' must be one of train"):
        open_prepared(plain).index("dev")


def change(manifest, **more):
    path = manifest / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | more))


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda f: (f / "manifest.json").unlink(), "holds no manifest.json"),
        (lambda f: (f / "manifest.json").write_text("{"), "not JSON"),
        (
            lambda f: (f / "manifest.json").write_text("[]"),
            "expected a table, got a list",
        ),
        (lambda f: change(f, kind="tokens"), "of kind 'tokens', not 'prepared'"),
        (lambda f: change(f, format=2), "has format 2, this version reads 1"),
        (lambda f: change(f, sample_rate=44100), "sample_rate must be 32000"),
        (lambda f: next(f.glob("*-00001-*")).unlink(), "00001-of-00003 is missing"),
        (lambda f: next(f.glob("*-00002-*")).write_bytes(b"x"), "is not whole"),
        (lambda f: change(f, mood=1), "field mood: unknown"),
        (lambda f: change(f, songs=[{"id": 1}]), r"field songs\[0\].title: missing"),
        (lambda f: change(f, rms_sha256="0" * 64), "was changed since it was made"),
        (lambda f: change(f, encoding="mp3"), "encoding must be one of int16, flac"),
        (lambda f: change(f, splits={}), "splits and shards must be of train"),
    ],
)
def test_a_folder_that_is_not_whole_is_refused(plain, tmp_path, harm, message):
    copy = tmp_path / "copy"
    shutil.copytree(plain, copy)
    harm(copy)
    with pytest.raises(UserError, match=message):
        open_prepared(copy)


def test_a_changed_song_is_seen(plain, tmp_path):
    """One digit of the manifest: a category, a record, a length."""
    whole = (plain / "manifest.json").read_text()
    copy = tmp_path / "copy"
    shutil.copytree(plain, copy)
    for old, new in (
        ('"category":', '"category":1'),
        ('"record":', '"record":1'),
        ('"title":"', '"title":"x'),
    ):
        (copy / "manifest.json").write_text(whole.replace(old, new, 1))
        with pytest.raises(UserError, match="manifest.json: "):
            open_prepared(copy)


def test_damaged_levels_are_named(plain, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(plain, copy)
    levels = np.load(copy / "rms.npy")
    for bad in (levels[1:], levels.astype(np.float32), levels + 1):
        np.save(copy / "rms.npy", bad)
        with pytest.raises(UserError, match="rms.npy: .*; copy it or prepare again"):
            open_prepared(copy).index("train")


def test_the_content_hash_names_the_content(plain):
    manifest = read_manifest(plain)
    assert content_hash(manifest) == manifest["content_hash"]
    assert content_hash(manifest | {"plan": "other"}) == manifest["content_hash"]
    song = manifest["songs"][0] | {"title": "another"}
    changed = manifest | {"songs": [song, *manifest["songs"][1:]]}
    assert content_hash(changed) != manifest["content_hash"]
