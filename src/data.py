"""`python -m src.data`: the command is frostline.commands.data."""

from frostline.commands.data import main

if __name__ == "__main__":
    raise SystemExit(main())
