import io
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from frostline.data import unpack
from frostline.data.sources.folder import load_archive
from frostline.data.unpack import unpack_once
from frostline.errors import DataError


def png():
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((4, 4, 3), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def zipped(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def tarred(path, *infos):
    with tarfile.open(path, "w") as archive:
        for info, data in infos:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def test_unpacked_once(tmp_path, monkeypatch):
    archive = zipped(tmp_path / "a.zip", {f"{c}/{k}.png": png() for c in "xy" for k in range(3)})
    done = []
    real = unpack._unpack
    monkeypatch.setattr(unpack, "_unpack", lambda *a: (done.append(1), real(*a)))
    first = load_archive(str(archive), on_bad_image="error")
    again = load_archive(str(archive), on_bad_image="error")
    assert done == [1]
    assert first.fingerprint == again.fingerprint
    assert first.name == "a" and first.source == str(archive)
    # The same content under another name is not unpacked again either.
    load_archive(str(archive.rename(tmp_path / "b.zip")), on_bad_image="error")
    assert done == [1]


def test_interrupted_unpacking_starts_again(tmp_path, monkeypatch, own_cache):
    archive = zipped(tmp_path / "a.zip", {f"x/{k}.png": png() for k in range(4)})
    real = unpack._write
    monkeypatch.setattr(unpack, "_write", interrupted := Interrupt(real, after=2))
    with pytest.raises(KeyboardInterrupt):
        unpack_once(archive)
    assert interrupted.calls == 3
    monkeypatch.setattr(unpack, "_write", real)
    assert len(list(unpack_once(archive).rglob("*.png"))) == 4
    assert not list((own_cache / "archives").glob("*.partial"))


class Interrupt:
    def __init__(self, real, after):
        self.real, self.after, self.calls = real, after, 0

    def __call__(self, *arguments):
        self.calls += 1
        if self.calls > self.after:
            raise KeyboardInterrupt
        self.real(*arguments)


def test_the_rest_of_a_killed_unpacking_is_ignored(tmp_path, own_cache):
    archive = zipped(tmp_path / "a.zip", {"x/1.png": png()})
    target = unpack_once(archive)
    (target.with_name(f"{target.name}.partial") / "rest").mkdir(parents=True)
    for file in target.rglob("*.png"):
        file.unlink()
    (target / "x").rmdir()
    target.rmdir()
    assert [path.name for path in unpack_once(archive).rglob("*.png")] == ["1.png"]


@pytest.mark.parametrize(
    "name", ["../evil.png", "/tmp/evil.png", "a/../../evil.png", "C:/evil.png", "..\\evil.png"]
)
def test_paths_that_leave_the_folder(tmp_path, own_cache, name):
    for archive in (
        zipped(tmp_path / "a.zip", {"x/1.png": png(), name: png()}),
        tarred(tmp_path / "a.tar", (tarfile.TarInfo(name), png())),
    ):
        with pytest.raises(DataError, match="is outside the folder"):
            unpack_once(archive)
    assert not list(tmp_path.rglob("evil*"))
    assert not [path for path in (own_cache / "archives").iterdir() if path.is_dir()]


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_in_a_tar(tmp_path, kind):
    info = tarfile.TarInfo("x/link.png")
    info.type, info.linkname = kind, "/etc/passwd"
    with pytest.raises(DataError, match="is a link or a device"):
        unpack_once(tarred(tmp_path / "a.tar", (info, b"")))


def test_symbolic_link_in_a_zip(tmp_path):
    info = zipfile.ZipInfo("x/link.png")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(DataError, match="is a link or a device"):
        unpack_once(tmp_path / "a.zip")


def test_decompression_bomb(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/zeros.png", bytes(100 * 2**20))
    with pytest.raises(DataError, match="not a set of photos"):
        unpack_once(tmp_path / "a.zip")


def test_a_member_larger_than_declared(tmp_path, monkeypatch):
    archive = zipped(tmp_path / "a.zip", {"x/1.png": png()})
    real = unpack._members

    def lie(*arguments):
        return [unpack.Member(one.path, 5, one.handle) for one in real(*arguments)]

    monkeypatch.setattr(unpack, "_members", lie)
    with pytest.raises(DataError, match="is larger than declared"):
        unpack_once(archive)


def test_damaged_unknown_and_encrypted_archives(tmp_path):
    whole = zipped(tmp_path / "a.zip", {"x/1.png": png() * 50}).read_bytes()
    (tmp_path / "flipped.zip").write_bytes(whole[:60] + b"\xff\xff" + whole[62:])
    with pytest.raises(DataError, match="cannot be unpacked: Bad CRC-32"):
        unpack_once(tmp_path / "flipped.zip")
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="not an archive that can be read"):
        unpack_once(tmp_path / "cut.zip")
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        info = tarfile.TarInfo("x/1.png")
        data = np.random.default_rng(0).bytes(200_000)
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    packed = (tmp_path / "a.tar.gz").read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(DataError, match="cannot be unpacked"):
        unpack_once(tmp_path / "cut.tar.gz")
    locked = bytearray(whole)
    for mark in (b"PK\x03\x04", b"PK\x01\x02"):
        at = locked.find(mark) + (6 if mark.endswith(b"\x04") else 8)
        locked[at] |= 1
    (tmp_path / "locked.zip").write_bytes(locked)
    with pytest.raises(DataError, match="encrypted"):
        unpack_once(tmp_path / "locked.zip")


def test_full_disk(tmp_path, monkeypatch):
    archive = zipped(tmp_path / "a.zip", {"x/1.png": png()})
    usage = type("Usage", (), {"free": 10})
    monkeypatch.setattr(unpack.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(DataError, match="set FROSTLINE_CACHE to a larger disk"):
        unpack_once(archive)


def packed(path, mode, *, n_files=12):
    with tarfile.open(path, mode) as archive:
        for k in range(n_files):
            data = np.random.default_rng(k).bytes(4000)
            info = tarfile.TarInfo(f"{'xy'[k % 2]}/{k}.png")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def damaged(path, at, n_bytes=40):
    content = bytearray(path.read_bytes())
    content[at : at + n_bytes] = bytes(255 - value for value in content[at : at + n_bytes])
    path.write_bytes(content)
    return path


def test_a_damaged_header_is_not_taken_for_the_end_of_a_tar(tmp_path, own_cache):
    archive = damaged(packed(tmp_path / "a.tar", "w"), at=5 * (512 + 4096))
    with pytest.raises(DataError, match=r"a.tar is damaged behind its first 5 files"):
        unpack_once(archive)
    assert not list((own_cache / "archives").glob("*.partial"))


def test_a_tar_that_is_cut_between_two_files_is_not_a_smaller_one(tmp_path):
    archive = packed(tmp_path / "a.tar", "w")
    archive.write_bytes(archive.read_bytes()[: 5 * (512 + 4096)])
    with pytest.raises(DataError, match=r"a.tar is cut behind its first 5 files"):
        unpack_once(archive)


def test_each_kind_of_compression_names_its_damage(tmp_path):
    kinds = {"zip": zipfile.ZIP_DEFLATED, "lzma.zip": zipfile.ZIP_LZMA}
    archives = []
    for kind, compression in kinds.items():
        archives.append(path := tmp_path / f"a.{kind}")
        with zipfile.ZipFile(path, "w", compression) as archive:
            for k in range(4):
                archive.writestr(f"x/{k}.png", bytes(range(200)) * 40)
    archives += [packed(tmp_path / f"a.tar.{kind}", f"w:{kind}") for kind in ("gz", "bz2", "xz")]
    for path in archives:
        damaged(path, at=path.stat().st_size // 3)
        with pytest.raises(DataError, match=f"{path.name} (cannot be|is damaged|is not an)"):
            unpack_once(path)


@pytest.mark.parametrize("bad", [0, 2])
@pytest.mark.parametrize("header", [{"size": "-5000"}, {"path": "x/a\0b.png"}])
def test_a_tar_whose_headers_make_no_sense(tmp_path, header, bad):
    """Python since 2025 leaves out what has a negative size, and reads on or ends the list."""
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for k in range(3):
            info = tarfile.TarInfo(f"x/{k}.png")
            info.pax_headers = header if k == bad else {}
            info.size = len(png())
            archive.addfile(info, io.BytesIO(png()))
    with pytest.raises(DataError, match=r"below zero|embedded null|damaged"):
        unpack_once(path)
