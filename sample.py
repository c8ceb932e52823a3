"""Generate a stem for a context mix; see `python sample.py --help`."""

from stemjax.cli.sample.main import main

if __name__ == "__main__":
    main()
