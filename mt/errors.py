"""What goes wrong through a user's input. `mt.cli` prints these in one sentence and exits 1."""


class OneLineError(Exception):
    """An error whose message a terminal shows in one line, whatever a user's input has put into it."""

    def __str__(self) -> str:
        message = super().__str__()
        if message.isprintable():
            return message
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in message)


class UserError(OneLineError):
    """A mistake that the user can mend; the message names the place, the value and the remedy."""


class ConfigError(UserError):
    """An option that is unknown, of the wrong type or impossible."""


class DataError(UserError):
    """A corpus, test set or list of translations that cannot be read as what it claims to be."""


class ModelError(UserError):
    """A model that is missing, does not know the language, or does not translate."""


class RunError(UserError):
    """A run directory that is taken, missing or incomplete."""


class Stopped(BaseException):
    """Asked to stop, and stopped in good order: no mistake. `mt.cli` prints it and exits 0.

    No `Exception`: a library that turns every error into one of its own must not swallow it.
    """


class UsageError(OneLineError):
    """A command line that cannot be understood; the program exits 2."""
