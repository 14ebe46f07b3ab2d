"""A study's text with its generated part: what stands between two markers, and nothing else."""

import re
from pathlib import Path

from frostline.errors import ConfigError


def markers(scale: str) -> tuple[str, str]:
    """The lines between which a scale's tables stand."""
    return f"<!-- tables: {scale} -->", f"<!-- end of tables: {scale} -->"


def fill(path: Path, between: tuple[str, str], content: str, *, what: str) -> bool:
    """Put content between a text's markers.

    Args:
        path: The text.
        between: The lines before and after it.
        content: Markdown.
        what: What it is, in the words of a message.

    Returns:
        Whether the file has changed.

    Raises:
        ConfigError: If there is no such text, or it has no such markers.
    """
    begin, end = between
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    found = re.search(f"{re.escape(begin)}\n.*?{re.escape(end)}", text, re.S)
    if found is None:
        raise ConfigError(
            f"{path.name} has no place for {what}",
            todo=f"write these two lines where they shall stand:\n{begin}\n{end}",
        )
    new = f"{text[: found.start()]}{begin}\n\n{content}\n\n{end}{text[found.end() :]}"
    if new != text:
        path.write_text(new, encoding="utf-8")
    return new != text
