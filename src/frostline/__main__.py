"""`python -m frostline COMMAND ...` from any folder: the commands of frostline.commands."""

import sys
from importlib import import_module

COMMANDS = (
    "train", "advise", "report", "evaluate", "predict", "export", "backbones", "data", "features",
    "ui",
)  # fmt: skip


def main() -> int | None:
    """Run the command that the first word names; the other words are its own."""
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        print(f"usage: python -m frostline {{{','.join(COMMANDS)}}} ...", file=sys.stderr)
        return 2
    command = sys.argv.pop(1)
    result: int | None = import_module(f"frostline.commands.{command}").main()
    return result


if __name__ == "__main__":
    sys.exit(main())
