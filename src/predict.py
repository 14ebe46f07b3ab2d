"""`python -m src.predict`: the command is frostline.commands.predict."""

from frostline.commands.predict import main

if __name__ == "__main__":
    raise SystemExit(main())
