"""Values with letters that Hydra's grammar does not know unquoted: Blätter, 日本, a&b."""

import re
from collections.abc import Sequence

# What may stand unquoted: ID, digits, white space, colons, and SPECIAL_CHAR.
# Source: hydra/grammar/OverrideLexer.g4 of Hydra 1.3.
_KNOWN = re.compile(r"[A-Za-z0-9_\s:,=/\-\\+.$%*@?|]*")
# Where a value has structure or quotes, its quotes are up to whoever wrote them.
_STRUCTURE = re.compile(r"""['"\[\](){}]""")
_KEY = re.compile(r"[+~]*[\w./@-]+", re.ASCII)


def quoted_words(words: Sequence[str]) -> list[str]:
    """Quote values that Hydra could not read because of their letters, and leave all others.

    Args:
        words: Of the command line.

    Returns:
        The words; of values between commas each is quoted by itself, so that a sweep stays one.
    """
    return [_quoted(word) for word in words]


def _quoted(word: str) -> str:
    key, equals, value = word.partition("=")
    plain = not equals or not _KEY.fullmatch(key) or _STRUCTURE.search(value)
    if plain or _KNOWN.fullmatch(value):
        return word
    return f"{key}={','.join(_quoted_value(one) for one in value.split(','))}"


def _quoted_value(value: str) -> str:
    # A backslash before the closing quote would escape it.
    if _KNOWN.fullmatch(value) or value.endswith("\\"):
        return value
    return f"'{value}'"
