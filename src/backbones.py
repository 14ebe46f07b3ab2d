"""`python -m src.backbones`: the command is frostline.commands.backbones."""

from frostline.commands.backbones import main

if __name__ == "__main__":
    raise SystemExit(main())
