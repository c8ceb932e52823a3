"""The golden checks pass, and each fails once a fault is planted in what it checks."""

import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest

from stemjax.analysis import harmony, rhythm
from stemjax.cli.evaluate import selftest as command
from stemjax.cli.evaluate.arguments import Selftest
from stemjax.eval.metrics import (
    alignment,
    fad_inf,
    frechet,
    histograms,
    jackknife,
    kad,
    mirdd,
)
from stemjax.eval.metrics.vggish import (
    features as vggish_input,
)
from stemjax.eval.metrics.vggish import (
    network as vggish,
)
from stemjax.eval.metrics.vggish import (
    weights as vggish_weights,
)
from stemjax.eval.populations import clips, store
from stemjax.eval.selftest import bars as selftest
from stemjax.eval.selftest.checks import at_most, is_zero, report_only, table
from stemjax.io.audio import resample
from stemjax.io.errors import UserError
from tests.eval.metrics import golden_exact as selftest_exact
from tests.eval.metrics import golden_front_end as selftest_front_end
from tests.eval.metrics import golden_numerics as selftest_numerics


def test_every_check_passes_and_has_a_fault_below():
    checks = selftest_numerics.golden_checks()
    assert len(checks) >= 30
    assert [c.name for c in checks if not c.has_passed] == []
    assert all(np.isfinite(c.value) for c in checks)
    names = [
        c.name
        for c in checks
        if np.isfinite([c.low, c.high]).any() and "smoke" not in c.name
    ]
    assert len(set(names)) == len(names)
    without = [n for n in names if not any(fault[1] in n for fault in FAULTS)]
    assert without == []


# The faults. Each is what a plausible mistake would be, in place of one attribute.


def hertz_linear_triangles():
    """As librosa's htk=True, norm=None."""
    mel = np.linspace(*(1127 * np.log1p(np.array([125, 7500]) / 700)), 66)
    edges, bins = 700 * np.expm1(mel / 1127), np.arange(257) * 31.25
    bands = [np.interp(bins, edges[k : k + 3], (0, 1, 0)) for k in range(64)]
    return np.stack(bands, axis=1)


def decimated(audio, rate, to_rate):
    return audio[:: rate // to_rate]


def late(audio, rate, to_rate, true=clips.resample):
    return np.roll(true(audio, rate, to_rate), 1)


def channels_first(params, patches, true=vggish.embed):
    weight = params["fc1_1.weight"]
    moved = weight.reshape(6, 4, -1, weight.shape[1]).transpose(2, 0, 1, 3)
    return true(params | {"fc1_1.weight": moved.reshape(weight.shape)}, patches)


def no_factor_two(offset, traces, root):
    return frechet.Distance(offset @ offset + traces - root, 0.0)


def with_epsilon(m, true=frechet._covariance):
    return true(m) + 1e-6 * np.eye(len(m.mean))


def lower_for_upper(m):
    return np.linalg.cholesky(frechet._covariance(m))


def frobenius_for_nuclear(a, b):
    root = np.linalg.norm(a.factor @ b.factor.T)
    traces = np.sum(a.factor**2) + np.sum(b.factor**2)
    return frechet._distance(a.mean - b.mean, traces, root)


def over_n(vectors, name="", true=frechet.gaussian_of):
    found, n = true(vectors), len(vectors)
    return found._replace(factor=found.factor * np.sqrt((n - 1) / n))


def diagonals_alone(x, y):
    """Frechet's distance of independent dimensions."""
    spreads = (np.std(z, axis=0, ddof=1) for z in (x, y))
    means = (np.mean(z, axis=0) for z in (x, y))
    value = sum(np.sum(np.subtract(*pair) ** 2) for pair in (means, spreads))
    return frechet.Distance(value, value)


def from_the_first(x, y, true=frechet.frechet):
    value = true(x, y).value * (1 + 1e-3 * np.var(x))
    return frechet.Distance(value, value)


def never_zero(x, y, true=frechet.frechet):
    value = true(x, y).value + 1e-6
    return frechet.Distance(value, value)


def uncorrected(value, groups, sizes, true=jackknife.from_leave_outs):
    return true(value, groups, sizes)._replace(corrected=value)


def ten_times_the_error(value, groups, sizes, true=jackknife.from_leave_outs):
    found = true(value, groups, sizes)
    return found._replace(se=10 * found.se)


def nearest_to_zero(x, y):
    """The distance of all clips, not extrapolated."""
    return float(y[np.argmin(x)]), 0.0, 0.0


def with_the_diagonal(x, y, true=kad._kernel_sum):
    return true(x, y) + (len(x) if y is x else 0)


def in_bits(p, q):
    return np.sum(p * np.log2(p / q), axis=-1)


def reversed_kl(p, q):
    return np.sum(q * np.log(q / p), axis=-1)


def kl_for_js(*args, true=mirdd.divergences, **kwargs):
    found = true(*args, **kwargs)
    return found._replace(js=found.symmetric)


def by_nearest(found, truth, tolerance):
    """Each time takes its nearest, which may be taken twice."""
    gaps = np.abs(np.subtract.outer(found, truth)).min(axis=1)
    return 2 * np.sum(gaps <= tolerance) / (len(found) + len(truth))


def frame_by_frame(emissions, transitions, initial):
    return jnp.argmax(emissions, axis=1)


def with_tails(notes, tail, true=histograms.pitch_range):
    return true(notes)


def pitches_for_classes(notes, threshold):
    return len(np.unique(notes[:, 2]))


def all_but_the_last(folder, rows, true=store.write_shard):
    true(folder, dict(list(rows.items())[:-1]))


def halved(folder, rows, true=store.write_shard):
    true(folder, {k: {"vectors": np.float16(r["vectors"])} for k, r in rows.items()})


def of_the_stage_alone(cache, stage, params, true=store.stage_folder):
    return true(cache, stage, {})


FRONT, EXACT = selftest_front_end, selftest_exact
LOG_MEL, RESAMPLING = FRONT.log_mel_checks, FRONT.resampling_checks
CLOSED = selftest_numerics.closed_form_frechet_checks
SQRTM = selftest_numerics.sqrtm_frechet_checks
INVARIANCE = selftest_numerics.invariance_checks
KNOWN = selftest_numerics.known_distance_checks
KAD, DIVERGENCE = selftest_numerics.kad_checks, selftest_numerics.divergence_checks

FAULTS = [  # check, a part of the row that must fail, module, attribute, fault
    (LOG_MEL, "log-mel of noise", vggish_input, "mel_matrix", hertz_linear_triangles),
    (LOG_MEL, "log-mel of noise", vggish_input, "hann", np.hanning),
    (LOG_MEL, "log-mel of noise", vggish_input, "LOG_OFFSET", 0.001),
    (RESAMPLING, "dB off", clips, "resample", resample),  # soxr's
    (RESAMPLING, "dB off", clips, "resample", late),
    (RESAMPLING, "dB of alias", clips, "resample", decimated),
    (FRONT.vggish_checks, "VGGish", vggish, "embed", channels_first),
    (CLOSED, "shifted unit", frechet, "_distance", no_factor_two),
    (CLOSED, "diagonal", frechet, "_distance", no_factor_two),
    (CLOSED, "diagonal", frechet, "_covariance", with_epsilon),
    (SQRTM, "random covariances", frechet, "_full_factor", lower_for_upper),
    (SQRTM, "rotated commuting", frechet, "_full_factor", lower_for_upper),
    (SQRTM, "fewer vectors", frechet, "between", frobenius_for_nuclear),
    (SQRTM, "fewer vectors", frechet, "gaussian_of", over_n),
    (INVARIANCE, "swapped", frechet, "frechet", from_the_first),
    (INVARIANCE, "rotated", frechet, "frechet", diagonals_alone),
    (INVARIANCE, "scaled", frechet, "frechet", never_zero),
    (INVARIANCE, "itself", frechet, "frechet", never_zero),
    (KNOWN, "jackknifed FAD, 0 ", jackknife, "from_leave_outs", uncorrected),
    (
        KNOWN,
        "jackknifed FAD, the bias",
        jackknife,
        "from_leave_outs",
        ten_times_the_error,
    ),
    (KNOWN, "FAD-inf, share", fad_inf, "_line", nearest_to_zero),
    (KNOWN, "FAD-inf, 0 ", fad_inf, "_line", nearest_to_zero),
    (KNOWN, "jackknifed FAD, 0.9", frechet, "_distance", no_factor_two),
    (KNOWN, "FAD-inf, 0.9", frechet, "_distance", no_factor_two),
    (KAD, "KAD", kad, "SCALE", 1.0),
    (KAD, "KAD", kad, "_kernel_sum", with_the_diagonal),
    (KAD, "KAD", kad, "median_distance", lambda x, seed: np.sqrt(5.0)),
    (DIVERGENCE, "KL of [.5", mirdd, "_kl", in_bits),
    (DIVERGENCE, "KL of [.5", mirdd, "_kl", reversed_kl),
    (DIVERGENCE, "KL and JS", mirdd, "divergences", kl_for_js),
    (DIVERGENCE, "Laplace", mirdd, "LAPLACE_ALPHA", 1.0),
    (EXACT.matching_checks, "matching", alignment, "f_measure", by_nearest),
    (EXACT.chord_path_checks, "Viterbi", harmony, "viterbi", frame_by_frame),
    (EXACT.beat_path_checks, "beats", rhythm, "_TIGHTNESS", 50.0),
    (EXACT.note_checks, "range", histograms, "pitch_range", with_tails),
    (
        EXACT.note_checks,
        "unique",
        histograms,
        "unique_pitch_classes",
        pitches_for_classes,
    ),
    (EXACT.interruption_checks, "changes", store, "write_shard", halved),
    (EXACT.interruption_checks, "twice", store, "write_shard", all_but_the_last),
    (EXACT.interruption_checks, "twice", store, "read_rows", lambda *where: {}),
    (EXACT.parameter_checks, "of other", store, "stage_folder", of_the_stage_alone),
    (EXACT.parameter_checks, "lost", store, "write_shard", all_but_the_last),
]


@pytest.mark.parametrize(
    "check, row, module, attribute, fault",
    FAULTS,
    ids=[f"{f[2].__name__.split('.')[-1]}.{f[3]}-{f[1]}" for f in FAULTS],
)
def test_a_planted_fault_is_found(monkeypatch, check, row, module, attribute, fault):
    monkeypatch.setattr(module, attribute, fault)
    failed = [c.name for c in check() if not c.has_passed]
    assert any(row in name for name in failed), failed


def test_own_weights_of_vggish_have_rows_where_they_are_found(monkeypatch):
    rows = selftest_front_end.smoke_test_checks
    assert rows(vggish_weights.Unavailable("none")) == []

    class Found(vggish_weights.VerifiedWeights):
        def __init__(self, statistics):
            self._statistics = statistics

    good = rows(Found(vggish_weights.EXPECTED))
    assert len(good) == 4 and all(c.value == 0 and c.has_passed for c in good)
    off = vggish_weights.EXPECTED._replace(mean=0.003, std=0.36)
    failed = [c.name for c in rows(Found(off)) if not c.has_passed]
    assert failed == [good[0].name, good[1].name]


def test_rounding_is_printed_by_its_exponent():
    lines = table(
        [
            at_most("small", 3.2e-5, 1e-4),
            at_most("not a number", np.nan, 1.0),
            is_zero("none", 0),
            is_zero("some", 2),
            report_only("dB", -114.86),
        ]
    ).split("\n")[1:]
    assert [" ".join(line.split()) for line in lines] == [
        "small 3.2e-05 <= 0.0001 ok",
        "not a number nan <= 1 FAILED",
        "none 0 = 0 ok",
        "some 2.0000 = 0 FAILED",
        "dB -114.8600 printed only",
    ]


def test_nothing_beyond_the_base_packages_is_imported():
    code = (
        "import sys; from tests.eval.metrics import golden_numerics as selftest_numerics;"
        "print([m for m in ('torch', 'mir_eval', 'tensorflow') if m in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "golden, music, n, fails",
    [(0, 0, 8, False), (1, 0, 8, True), (0, 1, 8, False), (0, 1, 120, True)],
)
def test_golden_checks_hold_for_any_number_of_clips(
    monkeypatch, capsys, golden, music, n, fails
):
    """A bar of music is meant for 120 clips: fewer are only told of."""
    monkeypatch.setattr(command, "golden_checks", lambda: [is_zero("exact", golden)])
    monkeypatch.setattr(command, "make_clip", lambda seed, k: None)
    for name, found in (
        ("corruptions", {}),
        ("analyse_clips", []),
        ("descriptor_checks", [is_zero("music", music)]),
        ("mirdd_checks", []),
        ("log_mel_checks", []),
    ):
        monkeypatch.setattr(selftest, name, lambda *_, found=found: found.copy())
    if fails:
        with pytest.raises(UserError, match="1 bars do not hold: (exact|music)"):
            command.run_selftest(Selftest(n=n))
    else:
        failed = ["music"] if music else []
        assert command.run_selftest(Selftest(n=n))["failed"] == failed
    page = capsys.readouterr().out
    assert page.index("exact") < page.index("music")
    assert ("are meant for 120" in page) == bool(music and not fails)
