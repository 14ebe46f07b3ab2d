"""`python -m src.study`: the tables of a kept study, by experiments.tools.study."""

from experiments.tools.study import main

if __name__ == "__main__":
    raise SystemExit(main())
