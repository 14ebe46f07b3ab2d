"""Files that appear whole, and texts that show whether they still are what was written."""

import errno
import hashlib
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Self

TEMPORARY_SUFFIX = ".tmp"
# A file too large for a limit, no space left, quota exceeded.
NO_ROOM = frozenset({errno.EFBIG, errno.ENOSPC, errno.EDQUOT})
# Bytes of a name that is made a file's; 255 are allowed, and suffixes follow.
_MAX_NAME_BYTES = 150


class FileStamp(NamedTuple):
    """What the file system says of a file without reading it; equal as long as it is not written.

    Programs can set the modification time, and `cp -p` and archivers do. They cannot set the time
    of the last change of the inode, and a file that takes another's place has another inode.

    Attributes:
        n_bytes: Its size.
        mtime_ns: Time of the last change of its content, as somebody may have set it.
        ctime_ns: Time of the last change of its content, name, owner or rights.
        inode: Its number in the file system.
    """

    n_bytes: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, stat: os.stat_result) -> Self:
        """The stamp in the answer of `stat`."""
        return cls(stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)


SEAL = "sha256 "  # begins a text that was sealed


def sealed(text: str) -> str:
    """A text behind a line with the checksum of its content, for a file that others rely on."""
    return f"{_seal(text)}\n{text}"


def unsealed(text: str) -> str:
    """Undo `sealed`.

    Raises:
        ValueError: If it is not a text that was sealed, or differs from it by as much as a bit.
    """
    seal, _, content = text.partition("\n")
    if seal != _seal(content):
        raise ValueError("the checksum is wrong")
    return content


def _seal(text: str) -> str:
    return f"{SEAL}{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


@contextmanager
def replacing(path: Path, *, sync: bool = True) -> Iterator[Path]:
    """Give a temporary file that takes the place of `path` when the block ends without an error.

    Readers see the old file or the whole new one, never a part. The temporary file lies in the same
    folder, because a rename across file systems is a copy; its name is `.NAME.RANDOM.tmp`. After an
    error it is removed; only a process that is killed leaves it behind.

    Args:
        path: The final name. Its folder must exist.
        sync: Whether its content is on the disk before it has its name, so that it is whole after a
            power cut, too; many small files are written faster without.

    Yields:
        The path of an empty file to write to; close it before the block ends.

    Raises:
        OSError: If the file cannot be made, synced or renamed.
    """
    # Not from `tempfile`: its files can be read by their owner only, whatever the umask is.
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}{TEMPORARY_SUFFIX}")
    temporary.touch(exist_ok=False)
    try:
        yield temporary
        if sync:
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def file_name(name: str) -> str:
    """A name that somebody gave, such as a run's, as one part of a path.

    Names of letters, digits, blanks and `_ . - =` stay as they are; a long one is cut and ends in a
    digest, so that two of them stay two.

    Args:
        name: Any text: with slashes, line ends, `..`, or of any length.
    """
    plain = "".join("-" if char in "/\\\0" or not char.isprintable() else char for char in name)
    # Hidden files, the folder above, switches, and a shell's home folder.
    plain = plain if plain[:1] not in {"", ".", "-", "~"} else f"_{plain}"
    raw = plain.encode("utf-8", "replace")
    if len(raw) <= _MAX_NAME_BYTES:
        return raw.decode()
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{raw[: _MAX_NAME_BYTES - 9].decode('utf-8', 'ignore')}-{digest}"
