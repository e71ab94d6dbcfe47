"""Errors that a user's input causes; `mt.cli` prints one sentence for them and exits 1."""


class OneLineError(Exception):
    """An error whose message is one line on a terminal, whatever characters the user's input has."""

    def __str__(self) -> str:
        message = super().__str__()
        if message.isprintable():
            return message
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in message)


class UserError(OneLineError):
    """A mistake that the user can correct; the message names where it is, the value and the remedy."""


class ConfigError(UserError):
    """An option that is unknown, of the wrong type or impossible."""


class DataError(UserError):
    """A corpus, test set or list of translations that cannot be read as such."""


class ModelError(UserError):
    """A model that is missing, does not know the language, or does not translate."""


class RunError(UserError):
    """A run directory that is taken, missing or incomplete."""


class Stopped(BaseException):
    """The process was asked to stop and did so cleanly, which is no mistake: `mt.cli` prints the message and exits 0.

    Not an `Exception`, so that no library catches it and turns it into an error of its own.
    """


class UsageError(OneLineError):
    """A command line that cannot be parsed; the program exits 2."""
