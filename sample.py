"""Generate a stem for a context mix; see `python sample.py --help`."""

from stemjax.cli.main import run

if __name__ == "__main__":
    run("stemjax.cli.sample.main", "main")
