"""Command `python -m stemjax`, the same as `stemjax`."""

from stemjax.cli.main import main

if __name__ == "__main__":
    main()
