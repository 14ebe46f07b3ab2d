"""Replace the generated part of a Markdown file, which is between two marker lines."""

import re
from pathlib import Path

from frostline.errors import ConfigError


def markers(scale: str) -> tuple[str, str]:
    """Return the marker lines around the tables of a scale."""
    return f"<!-- tables: {scale} -->", f"<!-- end of tables: {scale} -->"


def fill(path: Path, between: tuple[str, str], content: str, *, what: str) -> bool:
    """Replace the content between the markers of a file.

    Args:
        path: The file.
        between: The lines before and after the content.
        content: Markdown.
        what: Name of the content, for messages.

    Returns:
        Whether the file has changed.

    Raises:
        ConfigError: If there is no such file, or it has no such markers.
    """
    begin, end = between
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    match = re.search(f"{re.escape(begin)}\n.*?{re.escape(end)}", text, re.S)
    if match is None:
        raise ConfigError(
            f"{path.name} has no place for {what}",
            todo=f"add these two lines to it:\n{begin}\n{end}",
        )
    new = f"{text[: match.start()]}{begin}\n\n{content}\n\n{end}{text[match.end() :]}"
    if new != text:
        path.write_text(new, encoding="utf-8")
    return new != text
