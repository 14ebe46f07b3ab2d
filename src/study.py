"""`python -m src.study`: the tables of a kept study, by experiments.tools.study."""

from experiments.tools.study import main
from frostline.text_encoding import prepare_encoding

if __name__ == "__main__":
    prepare_encoding()
    raise SystemExit(main())
