"""`python -m src.evaluate`: the command is frostline.commands.evaluate."""

from frostline.commands.evaluate import main
from frostline.text_encoding import prepare_encoding

if __name__ == "__main__":
    prepare_encoding()
    raise SystemExit(main())
