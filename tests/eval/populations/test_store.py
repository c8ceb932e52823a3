"""The cache: computed once, whole shards, torn ones again, parameters apart."""

import numpy as np
import pytest

from stemjax.eval.populations import store


class Count:
    """Analyses numbers; remembers which."""

    def __init__(self, fail_after: int | None = None):
        self.seen, self.fail_after = [], fail_after

    def __call__(self, items):
        if self.fail_after is not None and len(self.seen) >= self.fail_after:
            raise KeyboardInterrupt
        self.seen += items
        return [
            {"square": np.float64(x * x), "upto": np.arange(x, dtype=np.int32)}
            for x in items
        ]


ITEMS = {f"{x:032x}": x for x in range(70)}


def check(rows, items=ITEMS):
    assert rows.keys() == items.keys()
    for key, x in items.items():
        assert rows[key]["square"] == x * x
        np.testing.assert_array_equal(rows[key]["upto"], np.arange(x))


def test_rows_are_computed_once(tmp_path):
    first, second, third = Count(), Count(), Count()
    counts = []
    check(store.cached(tmp_path, ITEMS, first, progress=counts.append))
    assert sorted(first.seen) == list(range(70)) and counts == [0, 32, 32, 6]
    check(store.cached(tmp_path, ITEMS, second))
    assert second.seen == []
    more = ITEMS | {"f" * 32: 100}
    check(store.cached(tmp_path, more, third), more)
    assert third.seen == [100]


def test_what_was_done_before_an_interruption_is_kept(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        store.cached(tmp_path, ITEMS, Count(fail_after=32))
    rest = Count()
    check(store.cached(tmp_path, ITEMS, rest))
    assert len(rest.seen) == 38


def test_a_torn_shard_is_computed_again(tmp_path, capsys):
    store.cached(tmp_path, ITEMS, Count())
    shard = sorted(tmp_path.glob("shard-*.npz"))[0]
    whole = shard.read_bytes()
    lost = len(store._read_shard(shard, None))
    spoiled = bytearray(whole)
    data = np.arange(20, dtype=np.int32).tobytes()  # of a member: its CRC tells
    spoiled[whole.index(data) + 40] ^= 1
    for broken in (whole[: len(whole) // 2], b"", bytes(spoiled)):
        shard.write_bytes(broken)
        again = Count()
        check(store.cached(tmp_path, ITEMS, again))
        assert len(again.seen) == lost
        assert "analysed again" in capsys.readouterr().out


def test_rows_that_are_not_wanted_are_not_read(tmp_path):
    """One wanted row stands in a shard whose other rows would fail their CRC."""
    store.write_shard(tmp_path, {k: {"x": np.arange(9) + int(k)} for k in "123"})
    (shard,) = tmp_path.glob("shard-*.npz")
    whole = shard.read_bytes()
    for key in "13":
        spoiled = bytearray(whole)
        spoiled[whole.index((np.arange(9) + int(key)).tobytes()) + 8] ^= 1
        shard.write_bytes(spoiled)
        rows = store.read_rows(tmp_path, {"2"})
        assert rows.keys() == {"2"}
        np.testing.assert_array_equal(rows["2"]["x"], np.arange(9) + 2)
    # and where a spoiled row is wanted the shard is dropped
    assert store.read_rows(tmp_path, {"2", "3"}) == {} and not shard.exists()


def test_other_parameters_have_another_folder(tmp_path):
    a = store.stage_folder(tmp_path, "mel", {"hop": 160, "version": 1})
    assert a == store.stage_folder(tmp_path, "mel", {"version": 1, "hop": 160})
    assert a != store.stage_folder(tmp_path, "mel", {"hop": 160, "version": 2})
    assert a.parent == tmp_path and a.name.startswith("mel-")
