"""The audio codec (EnCodec): `load(name_or_dir)`, `random(cfg, seed)`, `Codec`.

`identify(name_or_dir)` tells a codec by its config and digest, its weights unread.
"""


def __getattr__(name: str):
    """The public names on first use: `stemjax.codec` itself imports no jax."""
    if name in ("Codec", "identify", "load", "random"):
        from stemjax.codec import codec

        return getattr(codec, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
