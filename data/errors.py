"""What a user did wrong on the data side, said in one line."""


class DataError(ValueError):
    """Bad input. The message is one line that names the file and the mend."""
