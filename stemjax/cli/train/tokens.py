"""`train.py tokens`: fill a token store."""

import sys

import jax
import numpy as np
from tqdm import tqdm

from stemjax import codec
from stemjax.cli.train.arguments import TokensCommand
from stemjax.config.train import MeshConfig, PairConfig
from stemjax.data.spec import open_audio
from stemjax.data.tokens.format import StoreCodec
from stemjax.data.tokens.writer import TokenWriter
from stemjax.io.cache import use_compilation_cache
from stemjax.nn.axes import make_mesh


def run(command: TokensCommand) -> None:
    """Encode random submixes of every segment; the same command again continues."""
    use_compilation_cache()
    loaded = codec.load(command.codec).on(make_mesh(MeshConfig()))
    writer = TokenWriter(
        command.out,
        open_audio(command.data),
        codec=StoreCodec(
            name=loaded.name,
            sha256=loaded.sha256,
            config_sha256=loaded.config_sha256,
            sample_rate=loaded.config.sample_rate,
            hop=loaded.config.hop,
            num_codebooks=loaded.config.num_codebooks,
            codebook_size=loaded.config.codebook_size,
        ),
        draws_per_segment=command.draws,
        seed=command.seed,
        pairs=PairConfig(crop_seconds=command.crop_seconds),
    )
    devices = jax.device_count()
    with tqdm(desc="encoding", unit="mix", file=sys.stderr) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        store = writer.fill(
            lambda audio: loaded.encode(audio.astype(np.float32) / 32_768),
            batch_size=-(-command.batch_size // devices) * devices,
            progress=progress,
        )
    print(f"{command.out}: {store['entries']} mixes of {store['frames']} frames")
