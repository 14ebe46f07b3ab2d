"""`python -m src.completion`: the command is frostline.commands.completion."""

from frostline.commands.completion import main

if __name__ == "__main__":
    raise SystemExit(main())
