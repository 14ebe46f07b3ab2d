"""`python -m src.tracking`: the command is frostline.commands.tracking."""

from frostline.commands.tracking import main

if __name__ == "__main__":
    raise SystemExit(main())
