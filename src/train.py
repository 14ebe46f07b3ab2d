"""`python -m src.train`: the command is frostline.commands.train."""

from frostline.commands.train import main

if __name__ == "__main__":
    raise SystemExit(main())
