"""Several mistakes told in one message."""

from frostline.errors import ConfigError, FrostlineError


def raise_together(problems: list[FrostlineError]) -> None:
    """Raise one error for all problems; do nothing if there is none.

    Raises:
        FrostlineError: The only problem, or a ConfigError that holds the text of all.
    """
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise ConfigError("\n".join(str(problem) for problem in problems))
