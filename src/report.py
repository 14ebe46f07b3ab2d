"""`python -m src.report`: the command is frostline.commands.report."""

from frostline.commands.report import main
from frostline.text_encoding import prepare_encoding

if __name__ == "__main__":
    prepare_encoding()
    raise SystemExit(main())
