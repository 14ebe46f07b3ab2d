"""`python -m src.advise`: the command is frostline.commands.advise."""

from frostline.commands.advise import main
from frostline.text_encoding import prepare_encoding

if __name__ == "__main__":
    prepare_encoding()
    raise SystemExit(main())
