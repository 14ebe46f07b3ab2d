"""`python -m src.predict`: the command is frostline.commands.predict."""

from frostline.commands.predict import main
from frostline.text_encoding import prepare_encoding

if __name__ == "__main__":
    prepare_encoding()
    raise SystemExit(main())
