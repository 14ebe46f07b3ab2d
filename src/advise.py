"""`python -m src.advise`: the command is frostline.commands.advise."""

from frostline.commands.advise import main

if __name__ == "__main__":
    raise SystemExit(main())
