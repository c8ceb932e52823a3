"""Measure models and codecs: `python evaluate.py --help`. Same as `stemjax evaluate`."""

from stemjax.cli.main import run

if __name__ == "__main__":
    run("stemjax.cli.evaluate.main", "main", prog="evaluate.py")
