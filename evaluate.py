"""Measure models and codecs: `python evaluate.py --help`. The same as `stemjax evaluate`."""

from stemjax.cli.evaluate.main import main

if __name__ == "__main__":
    main(prog="evaluate.py")
