"""`python -m src.completion`: the command is frostline.commands.completion."""

from frostline.commands.completion import main
from frostline.text_encoding import prepare_encoding

if __name__ == "__main__":
    prepare_encoding()
    raise SystemExit(main())
