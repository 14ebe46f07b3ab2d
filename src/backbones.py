"""`python -m src.backbones`: the command is frostline.commands.backbones."""

from frostline.commands.backbones import main
from frostline.text_encoding import prepare_encoding

if __name__ == "__main__":
    prepare_encoding()
    raise SystemExit(main())
