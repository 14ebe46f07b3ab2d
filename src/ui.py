"""`python -m src.ui`: the command is frostline.commands.ui."""

from frostline.commands.ui import main
from frostline.text_encoding import prepare_encoding

if __name__ == "__main__":
    prepare_encoding()
    raise SystemExit(main())
