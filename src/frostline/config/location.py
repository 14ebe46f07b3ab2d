"""Where the config files and the kept studies lie."""

from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parents[3]
CONF = _CHECKOUT / "conf"
STUDIES = _CHECKOUT / "experiments"
