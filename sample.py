"""Give a recording and an instrument, get a stem: `python sample.py --help`."""

from stemjax.cli.sample.main import main

if __name__ == "__main__":
    main()
