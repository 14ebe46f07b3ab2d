"""`python -m src.data`: the command is frostline.commands.data."""

from frostline.commands.data import main
from frostline.text_encoding import prepare_encoding

if __name__ == "__main__":
    prepare_encoding()
    raise SystemExit(main())
