"""Words of a command that are shorter than the keys they stand for."""

from collections.abc import Sequence


def spell_out(arguments: Sequence[str]) -> list[str]:
    """`tags.project=leaves` as `++tags.project=leaves`, `register=NAME` as `register_as=NAME`.

    Tags are names of the user's own, which Hydra takes for unknown keys without the `++`.

    Args:
        arguments: Of the command line.
    """
    return [_spelled_out(word) for word in arguments]


def _spelled_out(word: str) -> str:
    key = word.partition("=")[0]
    if key == "register":
        return f"register_as{word.removeprefix(key)}"
    return f"++{word}" if key == "tags" or key.startswith("tags.") else word
