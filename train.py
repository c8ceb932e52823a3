"""Train models and release them: `python train.py --help`."""

from stemjax.cli.main import run

if __name__ == "__main__":
    run("stemjax.cli.train.main", "main")
