"""`python -m src.demo`: the command is frostline.commands.demo."""

from frostline.commands.demo import main
from frostline.text_encoding import prepare_encoding

if __name__ == "__main__":
    prepare_encoding()
    raise SystemExit(main())
