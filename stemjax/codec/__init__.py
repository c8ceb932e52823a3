"""The audio codec (EnCodec): `load(name_or_dir)`, `random(cfg, seed)`, `Codec`.

`identify(name_or_dir)` reads a codec's config and the digest of its weights only.
"""


def __getattr__(name: str):
    """Import the public names on first use, so that `stemjax.codec` imports no jax."""
    if name in ("Codec", "identify", "load", "random"):
        from stemjax.codec import codec

        return getattr(codec, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
