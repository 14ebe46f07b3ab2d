"""`python -m src.demo`: the command is frostline.commands.demo."""

from frostline.commands.demo import main

if __name__ == "__main__":
    raise SystemExit(main())
