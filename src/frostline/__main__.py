"""`frostline COMMAND ...` from any folder: the commands of frostline.commands.

frostline train -m backbone=resnet50,vgg16 freeze=0,2,4
frostline report
python -m frostline report      # the same
"""

import os
import sys
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import version

from frostline.commands import COMMANDS
from frostline.invocation import VARIABLE, called_by
from frostline.text_encoding import prepare_encoding

_EXAMPLES = (
    "train -m data.path=photos freeze=0,2,all   # a sweep over depths, with a report",
    "predict best:latest new_photos/            # by what the report of the newest sweep takes",
    "demo                                       # a small sweep, without data and network",
)


def main() -> int | None:
    """Run the command that the first word names; the other words are its own."""
    prepare_encoding()
    os.environ[VARIABLE] = form = called_by(sys.argv[0])
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    if word == "--version":
        print(version("frostline"))
        return 0
    if word not in COMMANDS:
        asked = word in {"-h", "--help"}
        near = get_close_matches(word, COMMANDS, n=1)
        meant = f"; write {form}{near[0]}" if near else ""
        wrong = "" if asked or not word else f"error: {word} is not a command{meant}\n"
        examples = "".join(f"\n{form}{each}" for each in _EXAMPLES)
        usage = f"{wrong}usage: {form}COMMAND ...\n  COMMAND: {', '.join(COMMANDS)}\n{examples}"
        print(usage, file=sys.stdout if asked else sys.stderr)
        return 0 if asked else 2
    command = sys.argv.pop(1)
    result: int | None = import_module(f"frostline.commands.{command}").main()
    return result


if __name__ == "__main__":
    sys.exit(main())
