"""Unpack a .zip or .tar once into the cache: only plain files, and only inside the folder."""

import hashlib
import json
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from frostline.data.cache import cache_folder, keep_sealed, kept_text
from frostline.data.progress_bar import show_progress
from frostline.errors import DataError
from frostline.files import FileStamp
from frostline.locks import exclusive

# Photos hardly shrink when packed: an archive that grows a hundredfold is not a set of photos.
MAX_GROWTH = 100
SMALL_BYTES = 2**26
BLOCK_BYTES = 2**20
MAX_MEMBERS = 5_000_000


@dataclass(frozen=True)
class Member:
    """A plain file of an archive."""

    path: PurePosixPath
    n_bytes: int
    handle: zipfile.ZipInfo | tarfile.TarInfo


def unpack_once(archive: Path) -> Path:
    """Return the folder with an archive's files, unpacked on the first call.

    It is in the cache under the archive's digest. The folder gets this name when it is complete,
    so that an interrupted unpacking starts again.

    Args:
        archive: A .zip, .tar, .tar.gz, .tgz, .tar.bz2 or .tar.xz file.

    Raises:
        DataError: If it is not such an archive, is damaged or encrypted, contains links or paths
            outside the folder, or grows too much.
    """
    folder = cache_folder("archives")
    target = folder / _digest(archive, folder)
    with exclusive(target.with_name(f"{target.name}.lock")):
        if target.is_dir():
            return target
        partial = target.with_name(f"{target.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        try:
            _unpack(archive, partial)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        partial.rename(target)
    return target


def _unpack(archive: Path, folder: Path) -> None:
    try:
        with closing(_open(archive)) as opened:
            members = _members(opened, archive)
            _check_size(members, archive, folder)
            with show_progress(f"unpacking {archive.name}", len(members)) as advance:
                for member in members:
                    _write(opened, member, folder, archive)
                    advance(1)
    except DataError:
        raise
    except Exception as error:  # each kind of compression has errors of its own
        raise DataError(
            f"{archive.name} cannot be unpacked: {error}", todo="download or pack it again"
        ) from None


def _open(archive: Path) -> zipfile.ZipFile | tarfile.TarFile:
    if zipfile.is_zipfile(archive):
        return zipfile.ZipFile(archive)
    if tarfile.is_tarfile(archive):
        return tarfile.open(archive)
    raise DataError(
        f"{archive.name} is not an archive that can be read", ".zip, .tar, .tar.gz, .tgz"
    )


def _members(opened: zipfile.ZipFile | tarfile.TarFile, archive: Path) -> list[Member]:
    """Return all plain files, after checking every member."""
    members, end = [], 0
    for name, n_bytes, kind, handle in _listed(opened):
        path = PurePosixPath(name.replace("\\", "/"))
        is_outside = path.is_absolute() or ".." in path.parts or ":" in path.parts[0:1]
        if is_outside or (len(name) > 1 and name[1] == ":"):
            raise _unsafe(archive, name, "is outside the folder")
        if kind == "other":
            raise _unsafe(archive, name, "is a link or a device, not a plain file")
        if n_bytes < 0:
            raise _unsafe(archive, name, "has a size below zero")
        if kind == "file":
            members.append(Member(path, n_bytes, handle))
        if len(members) > MAX_MEMBERS:
            raise _unsafe(archive, name, f"is one of more than {MAX_MEMBERS} files")
        end = opened.offset if isinstance(opened, tarfile.TarFile) else 0
    if isinstance(opened, tarfile.TarFile):
        _check_end(opened, end, archive, len(members))
    return members


def _check_end(opened: tarfile.TarFile, end: int, archive: Path, n_files: int) -> None:
    """Check that the list of files ended at the archive's end, and read the stream to its checksum.

    `tarfile` takes a damaged header for the end, and would leave out all files behind it; newer
    ones skip what a negative size belongs to (CVE-2025-8194), so what it has read says nothing.

    Args:
        opened: With all its members listed.
        end: Bytes from its beginning to behind its last member.
        archive: For the message.
        n_files: How many files were listed.

    Raises:
        DataError: If it did not, or the checksum is wrong.
    """
    stream = opened.fileobj
    assert stream is not None
    stream.seek(end)
    marker = stream.read(tarfile.BLOCKSIZE)
    if marker != bytes(tarfile.BLOCKSIZE):
        raise DataError(
            f"{archive.name} is {'damaged' if marker else 'cut'} behind its first {n_files} files: "
            "what follows cannot be read",
            todo="download or pack it again",
        )
    while stream.read(BLOCK_BYTES):
        pass


def _listed(
    opened: zipfile.ZipFile | tarfile.TarFile,
) -> Iterator[tuple[str, int, str, zipfile.ZipInfo | tarfile.TarInfo]]:
    """Yield name, size and kind ("file", "folder", "other") of each member."""
    if isinstance(opened, zipfile.ZipFile):
        for info in opened.infolist():
            # The upper half is the Unix file mode; 0o12 is a symbolic link.
            is_link = (info.external_attr >> 28) == 0o12
            kind = "folder" if info.is_dir() else "other" if is_link else "file"
            yield info.filename, info.file_size, kind, info
        return
    for member in opened:
        kind = "folder" if member.isdir() else "file" if member.isfile() else "other"
        yield member.name, member.size, kind, member


def _check_size(members: list[Member], archive: Path, folder: Path) -> None:
    total = sum(member.n_bytes for member in members)
    packed = archive.stat().st_size
    if total > SMALL_BYTES and total > MAX_GROWTH * packed:
        raise DataError(
            f"{archive.name} would grow from {packed} to {total} bytes: it is not a set of photos",
            f"at most {MAX_GROWTH} times its size",
        )
    free = shutil.disk_usage(folder).free
    if total > free:
        raise DataError(
            f"{archive.name} takes {total / 2**30:.1f} GiB unpacked, {free / 2**30:.1f} are free",
            todo="make room, or set FROSTLINE_CACHE to a larger disk",
        )


def _write(
    opened: zipfile.ZipFile | tarfile.TarFile, member: Member, folder: Path, archive: Path
) -> None:
    """Copy one file, and stop if it is larger than declared."""
    target = folder / member.path
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(opened, zipfile.ZipFile):
        source: IO[bytes] | None = opened.open(cast(zipfile.ZipInfo, member.handle))
    else:
        source = opened.extractfile(cast(tarfile.TarInfo, member.handle))
    if source is None:
        raise _unsafe(archive, str(member.path), "is not a plain file")
    written = 0
    with source, target.open("wb") as out:
        while block := source.read(BLOCK_BYTES):
            written += len(block)
            if written > member.n_bytes:
                raise _unsafe(archive, str(member.path), "is larger than declared")
            out.write(block)


def _unsafe(archive: Path, name: str, reason: str) -> DataError:
    return DataError(
        f"{archive.name} is not safe to unpack: '{name}' {reason}",
        "plain files in folders",
        "do not trust this archive; pack the images yourself",
    )


def _digest(archive: Path, folder: Path) -> str:
    """Return the sha256 of the archive, stored by its path and stamp."""
    key = "\0".join(map(str, (archive.resolve(), *FileStamp.of(archive.stat()))))
    stored = folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.digest"
    try:
        return str(json.loads(kept_text(stored) or "null")["sha256"])
    except (ValueError, KeyError, TypeError):
        with archive.open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
        keep_sealed(stored, json.dumps({"sha256": digest}), what=f"the digest of {archive.name}")
        return digest
