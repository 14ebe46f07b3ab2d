"""`python -m src.export`: the command is frostline.commands.export."""

from frostline.commands.export import main
from frostline.text_encoding import prepare_encoding

if __name__ == "__main__":
    prepare_encoding()
    raise SystemExit(main())
