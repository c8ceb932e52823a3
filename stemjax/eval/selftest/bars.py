"""Evaluation measured on synthetic clips whose music is known, against its bars.

The bars are floors for descriptors on 48 clips, and for MIRDD on 120; populations of few
clips are only good for trying the command.
"""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import spearmanr

from stemjax.analysis.analysis import NO_CHORD, NO_KEY, Analyser, Analysis
from stemjax.analysis.harmony import estimate_key
from stemjax.eval.metrics.alignment import f_measure
from stemjax.eval.metrics.frechet import frechet
from stemjax.eval.metrics.histograms import (
    chord_variety,
    histograms,
    pitch_range,
    unique_pitch_classes,
)
from stemjax.eval.metrics.log_mel_statistics import mean_and_std
from stemjax.eval.metrics.mirdd import mirdd
from stemjax.eval.metrics.mixes import BATCH
from stemjax.eval.metrics.vggish.features import GUDGUD, patches
from stemjax.eval.selftest import synthetic
from stemjax.eval.selftest.checks import (
    Check,
    at_least,
    at_most,
    is_zero,
    report_only,
)
from stemjax.eval.selftest.synthetic import SyntheticClip
from stemjax.io.audio import sum_with_one_gain

BARS_HOLD_AT = 120  # clips; fewer are good for trying the command
DOSES = (0.25, 0.5, 0.75, 1.0)
NOISE_DB = (40, 30, 20, 10)  # ever louder
CHORD_RATE = 20  # frames per second on which chords are compared
REAL, OTHER = 1, 2  # seeds of the populations


def analyse_clips(
    analyser: Analyser,
    clips: Sequence[SyntheticClip],
    progress: Callable[[int], None] = lambda count: None,
) -> list[Analysis]:
    """The analyses of the clips' mixes, in full batches."""
    found: list[Analysis] = []
    for start in range(0, len(clips), BATCH):
        part = clips[start : start + BATCH]
        mixes = [sum_with_one_gain([clip.context, clip.melody]).audio for clip in part]
        filled = mixes + mixes[:1] * (BATCH - len(mixes))
        found += analyser.analyse(np.stack(filled).astype(np.float32))[: len(part)]
        progress(len(part))
    return found


def descriptor_checks(
    clips: Sequence[SyntheticClip], found: Sequence[Analysis]
) -> list[Check]:
    """Every descriptor's source against the truth of the clips."""
    truth = [clip.truth for clip in clips]
    pairs = list(zip(found, truth, strict=True))
    density = np.array([[f.percussive_density, t.percussive_density] for f, t in pairs])
    unique = np.array(
        [
            abs(unique_pitch_classes(f.notes) - unique_pitch_classes(t.notes))
            for f, t in pairs
        ]
    )
    triads = [triad_accuracy(f, t) for f, t in pairs]
    beats = [f_measure(f.beats, t.beats, 0.07) for f, t in pairs]
    right = np.mean([f.key == t.key for f, t in pairs])
    weighted = np.mean([key_score(f.key, t.key) for f, t in pairs])
    ceiling = np.mean([key_of_notes(t.notes) == t.key for t in truth])
    variety = np.mean([_variety(f) - _variety(t) for f, t in pairs])
    ranges = np.mean([pitch_range(f.notes) - pitch_range(t.notes) for f, t in pairs])
    return [
        at_least("key accuracy", right, 0.85),
        at_least("key, weighted score", weighted, 0.92),
        at_least("key accuracy over that from exact notes", right - ceiling, -0.05),
        at_least("triads, share of frames", np.mean(triads), 0.82),
        at_most("chord variety, bias", abs(variety), 2.0),
        at_least("beats, F at 70 ms", np.mean(beats), 0.97),
        at_least(
            "beats per bar",
            np.mean([f.beats_per_bar == t.beats_per_bar for f, t in pairs]),
            0.95,
        ),
        at_most(
            "pitch classes, total variation",
            np.mean([pitch_class_variation(f, t) for f, t in pairs]),
            0.10,
        ),
        at_least("unique pitch classes within 1", np.mean(unique <= 1), 0.85),
        report_only("unique pitch classes, exact", np.mean(unique == 0)),
        report_only("pitch range, bias in semitones", ranges),
        report_only("note onsets, F at 50 ms", np.mean([onset_f(*p) for p in pairs])),
        at_least("percussive density, Spearman", spearmanr(*density.T).statistic, 0.9),
        at_most("percussive density, bias", abs(np.mean(np.diff(density))), 3.0),
        at_least(
            "section boundary within 3 s",
            np.mean([boundary_is_near(*p) for p in pairs]),
            0.6,
        ),
    ]


def key_score(found: int, truth: int) -> float:
    """MIREX's weights: 1 for the key, 0.5 a fifth above, 0.3 relative, 0.2 parallel."""
    if found == truth:
        return 1.0
    if found == NO_KEY:
        return 0.0
    (mode, tonic), (true_mode, true_tonic) = (divmod(key, 12) for key in (found, truth))
    steps = (tonic - true_tonic) % 12
    if mode == true_mode:
        return 0.5 if steps == 7 else 0.0
    relative = 9 if true_mode == 0 else 3
    return {relative: 0.3, 0: 0.2}.get(steps, 0.0)


def key_of_notes(notes: np.ndarray) -> int:
    """The key that the exact notes' durations give: what no transcription can beat."""
    lengths = notes[:, 1] - notes[:, 0]
    chroma = np.bincount(notes[:, 2].astype(int) % 12, lengths, minlength=12)
    return int(estimate_key(chroma[None].astype(np.float32), np.True_))


def _variety(analysis: Analysis) -> int:
    return chord_variety(analysis.chords[analysis.chords[:, 2] != NO_CHORD])


def triad_accuracy(found: Analysis, truth: Analysis) -> float:
    """Share of frames with the right triad, where the truth has one."""
    seconds = truth.chords[-1, 1]
    times = (np.arange(round(seconds * CHORD_RATE)) + 0.5) / CHORD_RATE
    wanted = _labels_at(truth.chords, times)
    is_chord = wanted != NO_CHORD
    return float(np.mean(_labels_at(found.chords, times)[is_chord] == wanted[is_chord]))


def _labels_at(segments: np.ndarray, times: np.ndarray) -> np.ndarray:
    rows = np.searchsorted(segments[:, 0], times, side="right") - 1
    return segments[np.clip(rows, 0, len(segments) - 1), 2].astype(int)


def onset_f(found: Analysis, truth: Analysis) -> float:
    """F of note onsets at 50 ms, each pitch by itself."""
    matched = 0.0
    for pitch in np.unique(truth.notes[:, 2]):
        a, b = (x.notes[x.notes[:, 2] == pitch, 0] for x in (found, truth))
        matched += f_measure(a, b, 0.05) * (len(a) + len(b)) / 2
    return 2 * matched / max(1, len(found.notes) + len(truth.notes))


def pitch_class_variation(found: Analysis, truth: Analysis) -> float:
    """Total variation between the duration-weighted pitch-class distributions."""
    shares = []
    for notes in (found.notes, truth.notes):
        durations = np.bincount(
            notes[:, 2].astype(int) % 12, notes[:, 1] - notes[:, 0], minlength=12
        )
        shares.append(durations / max(durations.sum(), 1e-9))
    return float(np.abs(shares[0] - shares[1]).sum() / 2)


def boundary_is_near(found: Analysis, truth: Analysis) -> bool:
    """Whether some found boundary lies within 3 s of the true one."""
    inner = found.sections[1:, 0]
    return bool(len(inner) and np.abs(inner - truth.sections[1, 0]).min() <= 3)


def corruptions(clips: Sequence[SyntheticClip]) -> dict[str, list[SyntheticClip]]:
    """The three populations whose stems do not fit."""
    others = [*clips[1:], clips[0]]
    return {
        "misaligned": [
            synthetic.misaligned(a, b) for a, b in zip(clips, others, strict=True)
        ],
        "transposed": [synthetic.transposed(clip) for clip in clips],
        "150 ms late": [synthetic.late(clip) for clip in clips],
    }


def mirdd_checks(
    real: Sequence[Analysis],
    split: Sequence[Analysis],
    spoiled: dict[str, Sequence[Analysis]],
) -> list[Check]:
    """MIRDD of known populations: zero, within the null, beyond it, rising with dose."""
    rows = np.stack([histograms(a) for a in real])
    itself = mirdd(rows, rows).mirdd.estimate.value
    checks = [is_zero("MIRDD of a set with itself", itself)]
    apart = mirdd(rows, np.stack([histograms(a) for a in split])).mirdd
    checks.append(
        at_most(
            "MIRDD of another split over null's 95 %",
            apart.estimate.value / apart.null_95,
            1.0,
        )
    )
    order = np.random.Generator(np.random.Philox(0)).permutation(len(rows))
    for name, analyses in spoiled.items():
        bad = np.stack([histograms(a) for a in analyses])
        values, null = [0.0], np.nan
        for dose in DOSES:
            part = rows.copy()
            chosen = order[: round(dose * len(rows))]
            part[chosen] = bad[chosen]
            result = mirdd(rows, part).mirdd
            values.append(result.estimate.value)
            null = result.null_95
        checks += [
            at_least(
                f"MIRDD {name} over 2 x null's 95 %", values[-1] / (2 * null), 1.0
            ),
            at_least(f"MIRDD {name}, least step of dose", np.diff(values).min(), 0.0),
        ]
    return checks


def log_mel_checks(
    clips: Sequence[SyntheticClip], others: Sequence[SyntheticClip]
) -> list[Check]:
    """FD-logmel of the stems against spoiled ones: every fault far beyond a split.

    others: another population of the same kind.
    """
    stems = [clip.melody for clip in clips]
    real = _log_mel_vectors(stems)
    split = frechet(real, _log_mel_vectors([clip.melody for clip in others])).value
    trace = float(np.var(real, axis=0, ddof=1).sum())
    faults = {
        "low-pass 3.5 kHz": [synthetic.low_pass(x) for x in stems],
        "8 bit": [synthetic.eight_bit(x) for x in stems],
        "silence": [np.zeros_like(x) for x in stems],
        **{
            f"noise at {snr} dB": [
                synthetic.add_noise(x, snr, k) for k, x in enumerate(stems)
            ]
            for snr in NOISE_DB
        },
    }
    values = {
        name: frechet(real, _log_mel_vectors(spoiled)).value
        for name, spoiled in faults.items()
    }
    checks = [at_most("FD-logmel of a split over the trace", split / trace, 0.02)]
    checks += [
        at_least(f"FD-logmel {name} over 5 x a split's", value / (5 * split), 1.0)
        for name, value in values.items()
    ]
    by_noise = [values[f"noise at {snr} dB"] for snr in NOISE_DB]
    rise = np.diff(by_noise).min()
    return [*checks, at_least("FD-logmel, least step of noise", rise, 0.0)]


def _log_mel_vectors(stems: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.asarray(mean_and_std(patches(x, GUDGUD))) for x in stems])
