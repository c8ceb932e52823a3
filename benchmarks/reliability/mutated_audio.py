"""Mutated audio files and headers: each is read as finite audio or refused in one line.

    python -m benchmarks.reliability.mutated_audio --n 2000 --seconds 900

A worker process reads every file as a recording and as a stem of a song.  The bar: no
other exception, no crash, no file that takes more than 5 s of processor time or 2 GB.
Files that miss it are kept in --keep.  The last line is one JSON object.
"""

import argparse
import collections
import io
import json
import multiprocessing
import os
import pathlib
import resource
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import NamedTuple

import numpy as np
import soundfile

MAX_CPU_SECONDS = 5.0
MAX_WALL_SECONDS = 60.0
"""A worker that is silent for so long hangs; the machine may be busy."""
MAX_BYTES = 2_000_000_000
ADDRESS_SPACE = 6 << 30
EXTREMES = (
    0,
    1,
    2,
    0xFF,
    0x7FFF,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xEE6B2800,
    0xFFFFFFFF,
)
KINDS = (
    *(("WAV", "PCM_16"), ("WAV", "PCM_U8"), ("WAV", "PCM_24"), ("WAV", "FLOAT")),
    *(("WAV", "DOUBLE"), ("WAV", "IMA_ADPCM"), ("WAV", "ULAW"), ("WAVEX", "PCM_16")),
    *(("RF64", "PCM_16"), ("W64", "PCM_16"), ("AIFF", "PCM_16"), ("AIFF", "FLOAT")),
    *(("FLAC", "PCM_16"), ("FLAC", "PCM_24"), ("OGG", "VORBIS"), ("OGG", "OPUS")),
    *(
        ("MP3", "MPEG_LAYER_III"),
        ("CAF", "PCM_16"),
        ("AU", "PCM_16"),
        ("VOC", "PCM_16"),
    ),
    *(("NIST", "PCM_16"), ("SVX", "PCM_16"), ("MAT5", "DOUBLE"), ("PAF", "PCM_16")),
)

Mutation = Callable[[bytearray, np.random.Generator, list[bytes]], bytes]


class Reading(NamedTuple):
    """How reading a file ended."""

    end: str
    """"audio", "refused", or what missed the bar."""
    detail: str
    cpu_seconds: float
    peak_bytes: int
    """Highest memory of the worker so far."""


def base_files() -> list[bytes]:
    """A short file of every kind, with one and with two channels."""
    files = []
    for kind, subtype in KINDS:
        for channels in (1, 2):
            rate = 48_000 if subtype == "OPUS" else 44_100
            steps = np.arange(rate) / rate
            wave = 0.4 * np.sin(2 * np.pi * 330 * steps) * (steps % 0.25 < 0.15)
            if channels == 1 and kind in ("SVX", "VOC"):
                rate = 22_050
            file = io.BytesIO()
            audio = np.stack([wave] * channels, axis=1)
            try:
                soundfile.write(file, audio, rate, format=kind, subtype=subtype)
            except soundfile.LibsndfileError:  # a format of one channel
                continue
            files.append(file.getvalue())
    return files


def random_bytes(file: bytearray, rng: np.random.Generator, _: list[bytes]) -> bytes:
    """Other bytes in the header."""
    for _place in range(rng.integers(1, 9)):
        file[rng.integers(min(len(file), 200))] = rng.integers(256)
    return bytes(file)


def flipped_bits(file: bytearray, rng: np.random.Generator, _: list[bytes]) -> bytes:
    """Flipped bits anywhere."""
    for _place in range(rng.integers(1, 200)):
        file[rng.integers(len(file))] ^= 1 << rng.integers(8)
    return bytes(file)


def extreme_field(file: bytearray, rng: np.random.Generator, _: list[bytes]) -> bytes:
    """Fields of the header with extreme values, little or big endian."""
    for _place in range(rng.integers(1, 4)):
        form = str(rng.choice(["<I", ">I", "<H", ">H", "<Q", ">Q", ">f", "<d"]))
        value = int(rng.choice(np.array(EXTREMES, np.int64)))
        if form[1] in "fd":
            value = float(rng.choice([np.nan, np.inf, -1.0, 1e30, 0.0]))
        elif form[1] == "H":
            value &= 0xFFFF
        elif form[1] == "Q" and rng.integers(2):
            value = 2**64 - 1 - value
        place = int(rng.integers(max(1, min(len(file), 160) - 8)))
        struct.pack_into(form, file, place, value)
    return bytes(file)


def cut(file: bytearray, rng: np.random.Generator, _: list[bytes]) -> bytes:
    """The beginning of the file."""
    return bytes(file[: rng.integers(len(file))])


def hole(file: bytearray, rng: np.random.Generator, _: list[bytes]) -> bytes:
    """A part is missing, doubled, or zero."""
    first, last = np.sort(rng.integers(len(file), size=2))
    part = bytes(file[first:last])
    middle = [b"", part * 2, bytes(len(part))][rng.integers(3)]
    return bytes(file[:first]) + middle + bytes(file[last:])


def joined(file: bytearray, rng: np.random.Generator, files: list[bytes]) -> bytes:
    """Another file, the same file or noise follows."""
    other = files[rng.integers(len(files))]
    return bytes(file) + [other, bytes(file), rng.bytes(5000)][rng.integers(3)]


def grafted(file: bytearray, rng: np.random.Generator, files: list[bytes]) -> bytes:
    """The header of one file before the audio of another."""
    other = files[rng.integers(len(files))]
    place = int(rng.integers(4, 200))
    return bytes(file[:place]) + other[place:]


def after_junk(file: bytearray, rng: np.random.Generator, _: list[bytes]) -> bytes:
    """Noise, zeros or an ID3 tag before the file."""
    size = int(rng.integers(1, 3000))
    tag = b"ID3\x03\0\0" + bytes([0, 0, size >> 7, size & 127]) + bytes(size)
    return [rng.bytes(size), bytes(size), tag][rng.integers(3)] + bytes(file)


MUTATIONS: tuple[Mutation, ...] = (
    *(random_bytes, flipped_bits, extreme_field, extreme_field, cut),
    *(hole, joined, grafted, after_junk),
)


def special_files() -> dict[str, bytes]:
    """Files that are whole but name or hold what no recording has."""
    files = {}

    def write(name: str, audio: np.ndarray, rate: int, kind: str, subtype: str) -> None:
        file = io.BytesIO()
        soundfile.write(file, audio, rate, format=kind, subtype=subtype)
        files[name] = file.getvalue()

    silence = np.zeros(3 * 3600 * 8_000, np.int16)
    write("three hours of silence", silence, 8_000, "FLAC", "PCM_16")
    write(
        "eight channels of silence",
        np.zeros((10_000_000, 8), np.int16),
        48_000,
        "FLAC",
        "PCM_16",
    )
    tone = np.sin(np.arange(44_100) / 20)
    for rate in (1, 100, 3_999, 4_000, 768_000, 2**31 - 1):
        write(f"{rate} Hz", tone, rate, "WAV", "PCM_16")
    for channels in (64, 65, 200, 1024):
        wide = np.tile(tone[:2000, None], channels)
        write(f"{channels} channels", wide, 44_100, "WAV", "PCM_16")
    for value in (np.nan, np.inf, 3e38, 1e30, 32_767.0, 1e-30):
        write(
            f"samples of {value}",
            np.where(tone > 0, value, 0.0),
            44_100,
            "WAV",
            "FLOAT",
        )
    write("one sample", tone[:1], 44_100, "WAV", "PCM_16")
    write("no sample", tone[:0], 44_100, "WAV", "PCM_16")
    files["empty"] = b""
    files["headerless"] = tone.astype("<f4").tobytes()
    return files


def read_files(pipe: Connection) -> None:
    """Worker: read the files that the pipe names, until it closes."""
    from stemjax.data.prepared.segments import read_stem
    from stemjax.io.audio import read_audio
    from stemjax.io.audio_files.bounds import MAX_CHANNELS, MAX_PEAK
    from stemjax.io.audio_files.stream import read_header
    from stemjax.io.errors import UserError

    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # decoders write warnings
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))

    def read(path: str) -> tuple[str, str]:
        ends = []
        for reader in (read_audio, read_stem, read_header):
            try:
                result = reader(pathlib.Path(path))
            except UserError as error:
                message = str(error)
                if path not in message or "\n" in message.strip():
                    return "message", message
                ends.append("refused")
                continue
            except BaseException as error:
                return "exception", f"{reader.__name__}: {type(error).__name__} {error}"
            if reader is read_header:
                continue
            audio = result[0] if reader is read_audio else result
            is_good = audio.dtype == np.float32 and len(audio)
            is_good = is_good and np.isfinite(audio).all()
            is_good = is_good and np.abs(audio).max() <= 2 * MAX_PEAK
            if not is_good or audio.shape[1:] > (MAX_CHANNELS,):
                return "bad audio", f"{reader.__name__}: {audio.shape} {audio.dtype}"
            ends.append("audio")
        return ends[0], ""

    try:
        while True:
            path = pipe.recv()
            started = time.process_time()
            end, detail = read(path)
            seconds = time.process_time() - started
            peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            pipe.send(Reading(end, detail, seconds, peak))
    except EOFError:
        return


class Worker:
    """A process that reads files; it is started again when it is lost."""

    def __init__(self):
        self._context = multiprocessing.get_context("spawn")
        self._start()

    def _start(self) -> None:
        self._pipe, other = self._context.Pipe()
        self._process = self._context.Process(
            target=read_files, args=(other,), daemon=True
        )
        self._process.start()
        other.close()

    def read(self, path: pathlib.Path) -> Reading:
        """Read a file; a worker that hangs or crashes is replaced."""
        try:
            self._pipe.send(str(path))
            if self._pipe.poll(MAX_WALL_SECONDS):
                reading = self._pipe.recv()
                if reading.peak_bytes > MAX_BYTES:
                    self.close()
                    self._start()
                    return reading._replace(end="memory")
                if reading.cpu_seconds > MAX_CPU_SECONDS:
                    return reading._replace(end="hang")
                return reading
            end = "hang"
        except (EOFError, OSError):
            end = "crash"
        self.close()
        code = self._process.exitcode
        self._start()
        return Reading(end, f"exit code {code}", 0.0, 0)

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.kill()
        self._process.join()


def main() -> None:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=900.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=pathlib.Path)
    args = parser.parse_args()
    files, started = base_files(), time.monotonic()
    cases = [(name, content) for name, content in special_files().items()]
    counts: collections.Counter[str] = collections.Counter()
    slowest, largest, done, faults = 0.0, 0, 0, []
    worker = Worker()
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "take.wav"
        for number in range(args.n):
            if time.monotonic() - started > args.seconds:
                break
            rng = np.random.default_rng((args.seed, number))
            if number < len(cases):
                name, content = cases[number]
            else:
                mutation = MUTATIONS[rng.integers(len(MUTATIONS))]
                name = mutation.__name__
                file = bytearray(files[rng.integers(len(files))])
                content = mutation(file, rng, files)
            path.write_bytes(content)
            reading = worker.read(path)
            counts[reading.end] += 1
            done += 1
            slowest = max(slowest, reading.cpu_seconds)
            largest = max(largest, reading.peak_bytes)
            if reading.end not in ("audio", "refused"):
                faults.append(number)
                print(f"{number} {name}: {reading.end}: {reading.detail}", flush=True)
                if args.keep:
                    args.keep.mkdir(parents=True, exist_ok=True)
                    (args.keep / f"{number:05d}").write_bytes(content)
            if done % 200 == 0:
                print(f"{done} files, {dict(counts)}", flush=True)
    worker.close()
    report = {
        "campaign": "mutated_audio",
        "n": done,
        **counts,
        "faults": len(faults),
        "slowest_cpu_seconds": round(slowest, 2),
        "largest_bytes": largest,
        "seconds": round(time.monotonic() - started, 1),
    }
    print(json.dumps(report))
    sys.exit(bool(faults) or done < args.n)


if __name__ == "__main__":
    main()
