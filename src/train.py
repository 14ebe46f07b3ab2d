"""`python -m src.train`: the command is frostline.commands.train."""

from frostline.commands.train import main
from frostline.text_encoding import prepare_encoding

if __name__ == "__main__":
    prepare_encoding()
    raise SystemExit(main())
