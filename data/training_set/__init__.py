"""The training set of the bundled weights, made anywhere by one command.

python -m data.training_set --midi DIR --sf2 FILE --sf2 FILE --out DIR
"""
