"""Write the tables of a study from its recorded runs, between the markers in experiments/NAME.md.

python -m src.study vgg16_features                           # after its sweep
python -m src.study vgg16_features scale=full data.path=DIR  # with the overrides of the sweep
python -m src.study vgg16_features --partial                 # with the runs that exist so far
"""

import argparse
import sys
from collections.abc import Sequence

from frostline.commands.arguments import add_store, command_parser, reported_errors
from frostline.errors import TrackingError


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    given = _parser().parse_args(arguments)
    with reported_errors():
        _run(given)


def _run(given: argparse.Namespace) -> None:
    from experiments.tools.markers import fill, markers
    from experiments.tools.recorded_runs import find_recorded
    from experiments.tools.study_jobs import compose_study
    from experiments.tools.study_tables import write_tables
    from frostline.config.study_scale import STUDIES
    from frostline.tracking.run_contents import StoreSource
    from frostline.tracking.store import open_store

    study = compose_study(given.name, given.overrides)
    store = open_store(given.uri, "Default")
    recorded = find_recorded(study, store, StoreSource(store))
    missing = recorded.missing
    if missing and (not given.partial or len(missing) == len(study.jobs)):
        labels = list(dict.fromkeys(job.label for job in missing))
        raise TrackingError(
            f"{len(missing)} of {len(study.jobs)} runs of {study.name} are not in "
            f"{store.address.shown}, of: {'; '.join(labels)}",
            todo=f"run them: {study.command}"
            + (
                ""
                if len(missing) == len(study.jobs)
                else " ; or write the tables without them: --partial"
            ),
        )
    tables = write_tables(recorded)
    if given.print:
        print(tables)
        return
    path = STUDIES / f"{study.name}.md"
    changed = fill(path, markers(study.scale), tables, what=f"the tables of scale={study.scale}")
    print(f"experiments/{path.name}: {'written' if changed else 'unchanged'}")
    if missing:
        print(f"{len(missing)} of {len(study.jobs)} runs are missing", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("src.study", __doc__)
    parser.add_argument("name", metavar="NAME", help="the study: experiments/NAME.yaml")
    parser.add_argument("overrides", metavar="KEY=VALUE", nargs="*", help="as for the sweep")
    add_store(parser)
    parser.add_argument("--partial", action="store_true", help="write even if runs are missing")
    parser.add_argument("--print", action="store_true", help="print instead of writing the file")
    return parser


if __name__ == "__main__":
    main()
