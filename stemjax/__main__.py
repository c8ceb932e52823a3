"""`python -m stemjax`: the command `stemjax`."""

from stemjax.cli.main import main

if __name__ == "__main__":
    main()
