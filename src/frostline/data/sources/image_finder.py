"""Find the image file that a table names, as exactly as the table allows."""

import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path

from frostline.data.sample_table import name_some
from frostline.data.split_names import splits_by_name
from frostline.errors import DataError

_ABSOLUTE = re.compile(r"/|[A-Za-z]:/")


class ImageFinder:
    """Finds an image by its path, with or without extension, or by its name if that is unique.

    A path is relative to the images' folder or to the table, or absolute. Where no file has exactly
    that name, the finder also takes another Unicode form or case, a number whose leading zeros were
    lost, and paths of another machine whose common beginning does not exist here.

    Args:
        paths: The image files, relative to `root`.
        root: The images' folder.
        table_folder: The folder of the table.

    Attributes:
        beginning: What all names begin with and the files do not; usually empty.
        guessed: How often a name was found other than exactly, by what was guessed.
    """

    def __init__(self, paths: list[str], root: Path, table_folder: Path) -> None:
        self._root, self._table_folder = root, table_folder
        self._paths = set(paths)
        self._by_short_name: dict[str, list[str]] = defaultdict(list)
        self._by_form: dict[str, set[str]] | None = None
        self._by_number: dict[tuple[str, int], set[str]] = defaultdict(set)
        self.beginning = ""
        self.guessed: Counter[str] = Counter()
        for path in paths:
            for name in _short_names(path):
                self._by_short_name[name].append(path)

    def learn(self, names: Iterable[str]) -> None:
        """Find out whether all names of a table begin with a folder that does not exist here.

        Of relative names only a beginning is removed that ends with the images' folder, and of
        names from another machine none that ends with another split: `test/1.png` is no image of
        the folder `train`.
        """
        plain = [_plain(name) for name in names if name]
        if not plain or any(self._exact(name) for name in plain):
            return
        parts = zip(*(name.split("/")[:-1] for name in plain), strict=False)
        common = [column[0] for column in takewhile(lambda column: len(set(column)) == 1, parts)]
        is_absolute = bool(_ABSOLUTE.match(plain[0]))
        for n in range(1, len(common) + 1):
            beginning = "/".join(common[:n]) + "/"
            is_own = common[n - 1].casefold() == self._root.resolve().name.casefold()
            may_be = is_own or (is_absolute and not splits_by_name([common[n - 1]]))
            if may_be and any(self._exact(name.removeprefix(beginning)) for name in plain):
                self.beginning = beginning
                return

    def find(self, name: str, number: int) -> str | None:
        """Find the path of an image.

        Args:
            name: The value in the table.
            number: Its line, for messages.

        Returns:
            The path relative to the images' folder; None if there is no such file.

        Raises:
            DataError: If the name fits several images.
        """
        name = _plain(name).removeprefix(self.beginning)
        exact = self._exact(name)
        if exact:
            return self._only(exact, name, number)
        if not name:
            return None
        matches, guess = self._alike(name), "case or Unicode form"
        if not matches:
            matches, guess = self._numbered(name), "lost leading zeros"
        if not matches:
            return None
        self.guessed[guess] += 1
        return self._only(matches, name, number)

    def _exact(self, name: str) -> list[str]:
        if name in self._paths:
            return [name]
        if name in {"", "."}:
            return []
        inside = os.path.relpath(os.path.join(self._table_folder, name), self._root)  # noqa: PTH118
        if inside in self._paths:
            return [inside]
        return self._by_short_name.get(name, [])

    def _alike(self, name: str) -> list[str]:
        if self._by_form is None:
            self._by_form = defaultdict(set)
            for path in self._paths:
                for short in {path, *_short_names(path)}:
                    self._by_form[_form(short)].add(path)
                stem = os.path.splitext(path)[0]  # noqa: PTH122 (100,000 paths)
                folder, _, last = stem.rpartition("/")
                if last.isascii() and last.isdigit():
                    self._by_number[folder, int(last)].add(path)
                    self._by_number["", int(last)].add(path)
        return sorted(self._by_form.get(_form(name), ()))

    def _numbered(self, name: str) -> list[str]:
        """Find `007.png` for `7`, `7.0` or `7.png`."""
        folder, _, last = name.rpartition("/")
        match = re.fullmatch(r"(\d+)(?:\.0|\.[A-Za-z]\w*)?", last, re.ASCII)
        return sorted(self._by_number.get((folder, int(match[1])), ())) if match else []

    def _only(self, matches: list[str], name: str, number: int) -> str:
        if len(matches) > 1:
            raise DataError(
                f"line {number}: '{name}' may be any of {name_some(matches)}",
                "paths relative to the images' folder, with the extension",
            )
        return matches[0]


def _plain(name: str) -> str:
    return os.path.normpath(name.replace("\\", "/")).removeprefix("./") if name else ""


def _short_names(path: str) -> set[str]:
    stem, _ = os.path.splitext(path)  # noqa: PTH122 (100,000 paths)
    return {stem, path.rsplit("/", 1)[-1], stem.rsplit("/", 1)[-1]} - {path}


def _form(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
