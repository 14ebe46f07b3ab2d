"""What a part finds: checks that should hold, and figures; on disk at once, so that it survives."""

import json
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE = "found.json"
_TEXT = 1500  # characters of an error or of a command's output that are kept, its end


@dataclass
class Checks:
    """The checks and figures of one part.

    Attributes:
        folder: Of the part, its own.
        device: `cuda`, or `cpu` where the code is only tried.
        tiny: Whether tiny nets take the place of real ones.
        held: Name of a check to whether it holds, with details.
        figures: Name to value.
    """

    folder: Path
    device: str
    tiny: bool
    held: dict[str, dict[str, Any]] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)

    def check(self, name: str, holds: bool, **details: Any) -> None:
        """Note whether something that should hold does."""
        self.held[name] = {"holds": bool(holds), **details}
        self._keep()

    def figure(self, name: str, value: Any) -> None:
        """Note a figure."""
        self.figures[name] = round(value, 4) if isinstance(value, float) else value
        self._keep()

    @contextmanager
    def tried(self, name: str) -> Iterator[None]:
        """A block that raises is a check that does not hold, and the part goes on."""
        begun = time.perf_counter()
        try:
            yield
        except Exception as error:
            trace = traceback.format_exc()[-_TEXT:]
            self.check(name, False, error=f"{type(error).__name__}: {error}"[:_TEXT], trace=trace)
        finally:
            self.figures[f"seconds: {name}"] = round(time.perf_counter() - begun, 1)
            self._keep()

    def _keep(self) -> None:
        content = {"checks": self.held, "figures": self.figures}
        temporary = self.folder / f"{FILE}.tmp"
        temporary.write_text(json.dumps(content, default=str))
        temporary.replace(self.folder / FILE)


def ending(text: str) -> str:
    """The end of what a command printed."""
    return text[-_TEXT:]
