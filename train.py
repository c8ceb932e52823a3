"""Train models and release them: `python train.py --help`."""

from stemjax.cli.train.main import main

if __name__ == "__main__":
    main()
