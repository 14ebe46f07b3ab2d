"""Find the file that a table means by the name of an image."""

import os
from collections import defaultdict
from pathlib import Path

from frostline.data.sample_table import name_some
from frostline.errors import DataError


class ImageFinder:
    """Finds an image by its path, with or without extension, or by its name if that is unique.

    A path is relative to the images' folder or to the table, or absolute.

    Args:
        paths: The image files, relative to `root`.
        root: The images' folder.
        table_folder: The folder of the table.
    """

    def __init__(self, paths: list[str], root: Path, table_folder: Path) -> None:
        self._root, self._table_folder = root, table_folder
        self._paths = set(paths)
        self._paths_by_short_name: dict[str, list[str]] = defaultdict(list)
        for path in paths:
            stem, _ = os.path.splitext(path)  # noqa: PTH122 (100,000 paths)
            short_names = {stem, path.rsplit("/", 1)[-1], stem.rsplit("/", 1)[-1]}
            for name in short_names - {path}:
                self._paths_by_short_name[name].append(path)

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
        name = os.path.normpath(name.replace("\\", "/")).removeprefix("./")
        if name in self._paths:
            return name
        inside = os.path.relpath(os.path.join(self._table_folder, name), self._root)  # noqa: PTH118
        if inside in self._paths:
            return inside
        matches = self._paths_by_short_name.get(name, [])
        if len(matches) > 1:
            raise DataError(
                f"line {number}: '{name}' may be any of {name_some(matches)}",
                "paths relative to the images' folder, with the extension",
            )
        return matches[0] if matches else None
