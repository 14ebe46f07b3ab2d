"""The file of `--out` in which a command leaves its page."""

from pathlib import Path

from frostline.errors import FrostlineError
from frostline.files import replacing


def write_page(file: Path, page: str, *, allowed: str = "") -> None:
    """Write a page whole: an earlier one stays until then, also if the disk is full.

    Args:
        file: What was given as `--out`; its folder is made if need be.
        page: The text.
        allowed: What else may be given.

    Raises:
        FrostlineError: If it cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.exists() and not file.is_file():  # /dev/stdout
            file.write_text(page, encoding="utf-8")
            return
        with replacing(file.resolve()) as temporary:
            temporary.write_text(page, encoding="utf-8")
    except OSError as error:
        raise FrostlineError(
            f"--out {file}: {error.strerror or error}",
            f"the name of a file that can be written{allowed}",
        ) from None
