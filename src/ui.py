"""`python -m src.ui`: the command is frostline.commands.ui."""

from frostline.commands.ui import main

if __name__ == "__main__":
    raise SystemExit(main())
