"""`python -m src.export`: the command is frostline.commands.export."""

from frostline.commands.export import main

if __name__ == "__main__":
    raise SystemExit(main())
