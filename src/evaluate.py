"""`python -m src.evaluate`: the command is frostline.commands.evaluate."""

from frostline.commands.evaluate import main

if __name__ == "__main__":
    raise SystemExit(main())
