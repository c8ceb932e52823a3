"""The training set of the bundled weights, made anywhere by one command.

python -m examples.bundle.training_set --midi DIR --sf2 FILE --sf2 FILE --out DIR
"""
