"""`python -m src.report`: the command is frostline.commands.report."""

from frostline.commands.report import main

if __name__ == "__main__":
    raise SystemExit(main())
