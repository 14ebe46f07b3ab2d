"""How words are compared that somebody may have spelled otherwise."""


def bare_of(text: str) -> str:
    """A word without what people vary: case, dashes, underscores, dots, spaces."""
    return "".join(character for character in text.lower() if character.isalnum())
