"""How printed commands are spelled: as the caller spelled this one, so that they can be typed.

In a checkout that is `python -m src.train`; where the package is installed without one there is no
`src`, and it is `frostline train` or `python -m frostline train`.
"""

import os
from pathlib import Path

# What stands before a command's name; processes that a command starts inherit it.
VARIABLE = "FROSTLINE_CALLED_AS"
# The folder that a command has entered before it printed paths and commands.
ENTERED = "FROSTLINE_ENTERED"
CHECKOUT = "python -m src."
MODULE = "python -m frostline "
SCRIPT = "frostline "


def as_called(text: str) -> str:
    """The text, every command of the checkout in it spelled as the caller spells them."""
    return text.replace(CHECKOUT, os.environ.get(VARIABLE, CHECKOUT))


def in_checkout() -> bool:
    """Whether the caller stands in a checkout, where `make` has targets."""
    return as_called(CHECKOUT) == CHECKOUT


def entered_folder() -> str | None:
    """The folder that the command itself has gone into, whose caller stands outside of it."""
    return os.environ.get(ENTERED) or None


def is_command(line: str) -> bool:
    """Whether a printed line is a command to type, and no sentence."""
    return line.startswith(as_called(CHECKOUT))


def called_by(program: str) -> str:
    """What stands before a command's name where `program` is what Python was started with.

    Args:
        program: `sys.argv[0]`: the installed script, or a module's file.
    """
    return MODULE if Path(program).name == "__main__.py" else SCRIPT
