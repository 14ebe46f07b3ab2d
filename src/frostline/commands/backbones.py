"""Show backbones: their stages, what freezing each would freeze, and whether they can be cut.

python -m src.backbones resnet50
python -m src.backbones 'vit_*'
python -m src.backbones resnet50 --json
"""

import argparse
import json
import sys
from collections.abc import Sequence

from frostline.backbones.names import check_backbone_name, list_backbones
from frostline.commands.arguments import command_parser, reported_errors
from frostline.commands.error_output import BAD_INPUT_EXIT_CODE
from frostline.config.image_size import MIN_SIDE_PX, Sides
from frostline.config.renamed_backbones import present_name, rename_note
from frostline.errors import FrostlineError


def _image_size(text: str) -> Sides:
    """The value of --image-size: `224`, `224,320` or `[224,320]`."""
    sides = [int(side) if side.strip().isdecimal() else 0 for side in text.strip("[]").split(",")]
    if len(sides) > 2 or min(sides) < MIN_SIDE_PX:
        raise argparse.ArgumentTypeError(
            f"{text}: one side of {MIN_SIDE_PX} or more, or height and width: 224,320"
        )
    return sides[0] if len(set(sides)) == 1 else (sides[0], sides[1])


@reported_errors()
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        0, or 2 with a message on standard error when nothing matches.
    """
    parser = command_parser("src.backbones", __doc__)
    add = parser.add_argument
    add("pattern", nargs="?", default="*", help="a name, or a pattern such as 'vit_*'")
    add("--json", action="store_true", help="one JSON document for scripts")
    add(
        "--image-size",
        type=_image_size,
        metavar="PX",
        help="instead of the weights' own; of a rectangle height and width: 224,320",
    )
    add("--limit", type=int, default=40, metavar="N", help="at most N matches, 0 for all (40)")
    given = parser.parse_args(arguments)
    try:
        pattern = present_name(given.pattern)
        if note := rename_note(given.pattern, pattern):
            print(note, file=sys.stderr)
        names = list_backbones(pattern)
        if not names:
            check_backbone_name(pattern)
            names = [pattern]
        if not given.json:
            print("loading timm ...", file=sys.stderr)
        from frostline.backbones.describe import describe, describe_many, list_lines, page

        if len(names) == 1:
            facts = describe(names[0], given.image_size)
            print(json.dumps(facts, indent=2) if given.json else page(facts))
            return 0
        listed = names[: given.limit] if given.limit else names
        summaries = describe_many(listed, given.image_size)
        if given.json:
            print(json.dumps(list(summaries), indent=2))
            return 0
        for line in list_lines(summaries):
            print(line, flush=True)
        if len(listed) < len(names):
            print(f"... and {len(names) - len(listed)} more: narrow the pattern, or --limit 0")
    except FrostlineError as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT_EXIT_CODE
    return 0
