"""`python -m src.tracking`: the command is frostline.commands.tracking."""

from frostline.commands.tracking import main
from frostline.text_encoding import prepare_encoding

if __name__ == "__main__":
    prepare_encoding()
    raise SystemExit(main())
