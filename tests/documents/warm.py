"""Commands in processes that have the libraries already: `python -m MODULE ...` in a second.

Importing PyTorch, timm and MLflow takes longer than what a small command does with them. So one
process imports them, and each command is a fork of it, with a folder, an environment, an output and
an exit code of its own.
"""

import json
import os
import runpy
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parents[2]


class WarmProcess:
    """The process that commands are forked from; use it as a context.

    Args:
        folder: Where the commands run.
        env: Their environment.
    """

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self.folder = folder
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.documents.warm"],
            cwd=folder,
            env={**env, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str) -> tuple[int, str]:
        """Run `python WORDS` and wait.

        Args:
            words: `-m`, a module and its words; or a script and its words.

        Returns:
            The exit code, and all that was printed.
        """
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        output = self.folder / "printed.txt"
        print(json.dumps({"words": words, "output": str(output)}), file=self._server.stdin)
        self._server.stdin.flush()
        code = int(self._server.stdout.readline())
        return code, output.read_text(encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.communicate()  # its input ends, and so does it


def _serve() -> None:
    import frostline.sweeps.preload  # noqa: F401  (all that commands import)

    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_DFL)
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            _be(asked["words"], asked["output"])
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _be(words: list[str], output: str) -> None:
    """Become the command: never returns."""
    printed = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(printed, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    code: object = 0
    try:
        if words[0] == "-m":
            sys.argv = words[1:]
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = words
            runpy.run_path(words[0], run_name="__main__")
    except SystemExit as end:
        code = end.code
        if isinstance(code, str):
            print(code, file=sys.stderr)
            code = 1
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    _serve()
