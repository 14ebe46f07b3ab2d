"""What an installation takes: seconds and disk of the wheel alone, and what each extra adds.

python -m benchmarks.install_sizes            # prints the table
python -m benchmarks.install_sizes --write    # writes it into docs/install.md
python -m benchmarks.install_sizes --only export,labels

The wheel is built from this checkout and installed by pip into an empty environment; each extra is
installed into a copy of it. Seconds contain the download, so they depend on the line.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.docs_tables import write_between

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "install.md"
# For people who work on the project itself.
NOT_FOR_USERS = ("dev", "docs")


@dataclass(frozen=True)
class Taken:
    """What an installation took: seconds on the wall, MB of disk, packages."""

    seconds: float
    megabytes: float
    packages: int


def main() -> None:
    """Install the wheel, then each extra beside it, and print or write a row for each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", help="these extras, such as export,labels")
    parser.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name}")
    given = parser.parse_args()
    extras = given.only.split(",") if given.only else user_extras()
    with tempfile.TemporaryDirectory(prefix="install-sizes-") as scratch:
        rows = list(measured(Path(scratch), extras).items())
    text = table(rows)
    print("\n".join(text))
    if given.write:
        write_between("install sizes", text, page=PAGE)


def user_extras() -> list[str]:
    """The extras of pyproject.toml that change what a user can do."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [name for name in project["optional-dependencies"] if name not in NOT_FOR_USERS]


def measured(scratch: Path, extras: Sequence[str]) -> dict[str, Taken]:
    """Seconds and disk of the wheel, and what each extra adds to it; '' is the wheel alone."""
    _run([sys.executable, "-m", "pip", "wheel", "--no-deps", "-q", "-w", str(scratch), str(ROOT)])
    (wheel,) = scratch.glob("*.whl")
    plain = scratch / "plain"
    _run([sys.executable, "-m", "venv", str(plain)])
    found = {"": installed(plain, str(wheel))}
    print("the wheel", found[""], file=sys.stderr, flush=True)
    for extra in extras:
        # A copy by hard links: pip replaces files and never writes into them. Its scripts would
        # name the first environment's Python, so that pip is called as a module.
        copy = scratch / extra
        shutil.copytree(plain, copy, symlinks=True, copy_function=os.link)
        found[extra] = installed(copy, f"{wheel}[{extra}]")
        print(extra, found[extra], file=sys.stderr, flush=True)
        shutil.rmtree(copy)
    return found


def installed(environment: Path, requirement: str) -> Taken:
    """Install into an environment with nothing cached, and say what that added to it."""
    before, n_before = _megabytes(environment), _packages(environment)
    begun = time.monotonic()
    python = str(environment / "bin" / "python")
    _run([python, "-m", "pip", "install", "--no-cache-dir", "-q", requirement])
    seconds = time.monotonic() - begun
    return Taken(seconds, _megabytes(environment) - before, _packages(environment) - n_before)


def table(rows: Sequence[tuple[str, Taken]]) -> list[str]:
    """The rows as Markdown."""
    lines = [
        "",
        "| extra | packages | disk, MB | seconds, with the download |",
        "|---|---|---|---|",
    ]
    for extra, taken in rows:
        name = f"+ `{extra}`" if extra else "none"
        lines.append(
            f"| {name} | {taken.packages} | {taken.megabytes:,.0f} | {taken.seconds:.0f} |"
        )
    return [*lines, ""]


def _packages(environment: Path) -> int:
    return len(list(environment.glob("lib/python*/site-packages/*.dist-info")))


def _megabytes(folder: Path) -> float:
    """Disk used by the files of a folder, each inode once."""
    sizes = {}
    for file in folder.rglob("*"):
        if not file.is_symlink() and file.is_file():
            status = file.stat()
            sizes[status.st_ino] = status.st_blocks * 512
    return sum(sizes.values()) / 1e6


def _run(words: list[str]) -> None:
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {done.returncode}:\n{done.stderr[-2000:]}")


if __name__ == "__main__":
    main()
