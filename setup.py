"""What pyproject.toml cannot say: conf/ and the studies go into the wheel, within the package."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
SHIPPED = {".yaml", ".md", ".py"}


class BuildWithConf(build_py):
    """Copies them; an editable install reads them from the checkout."""

    def run(self) -> None:
        """Build the modules, then copy."""
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib) / "frostline" / "conf"
            copy(ROOT / "conf", target, without="experiments")
            copy(ROOT / "experiments", target / "experiments", without="tools")


def copy(source: Path, target: Path, *, without: str) -> None:
    """Copy a folder's files of the kinds that are shipped."""
    for file in sorted(source.rglob("*")):
        place = file.relative_to(source)
        if file.suffix in SHIPPED and place.parts[0] != without:
            (target / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target / place)


setup(cmdclass={"build_py": BuildWithConf})
