"""`frostline COMMAND ...` from any folder: the commands of frostline.commands.

frostline train -m backbone=resnet50,vgg16 freeze=0,2,4
frostline report
python -m frostline report      # the same
"""

import os
import sys
from importlib import import_module
from importlib.metadata import version

from frostline.invocation import VARIABLE, called_by

COMMANDS = (
    "train", "advise", "report", "evaluate", "predict", "export", "backbones", "data", "features",
    "tracking", "ui", "demo",
)  # fmt: skip


def main() -> int | None:
    """Run the command that the first word names; the other words are its own."""
    os.environ[VARIABLE] = form = called_by(sys.argv[0])
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    if word == "--version":
        print(version("frostline"))
        return 0
    if word not in COMMANDS:
        asked = word in {"-h", "--help"}
        wrong = "" if asked or not word else f"error: {word} is not a command\n"
        usage = f"{wrong}usage: {form}COMMAND ...\n  COMMAND: {', '.join(COMMANDS)}"
        print(usage, file=sys.stdout if asked else sys.stderr)
        return 0 if asked else 2
    command = sys.argv.pop(1)
    result: int | None = import_module(f"frostline.commands.{command}").main()
    return result


if __name__ == "__main__":
    sys.exit(main())
