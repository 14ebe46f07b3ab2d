"""`python -m src.features`: the command is frostline.commands.features."""

from frostline.commands.features import main
from frostline.text_encoding import prepare_encoding

if __name__ == "__main__":
    prepare_encoding()
    raise SystemExit(main())
