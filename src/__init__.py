"""Entry points: `python -m src.NAME` from a checkout runs the command frostline.commands.NAME."""
