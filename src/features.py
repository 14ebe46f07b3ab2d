"""`python -m src.features`: the command is frostline.commands.features."""

from frostline.commands.features import main

if __name__ == "__main__":
    raise SystemExit(main())
