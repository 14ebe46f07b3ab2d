"""Export a trained run: as ONNX, a program of torch.export, a timm checkpoint or an MLflow model.

python -m src.export RUN --format onnx              # --any-size: resizing is part of the file
python -m src.export RUN --format timm --out my_model
python -m src.export best:SWEEP --format mlflow --register leaf-doctor

RUN is a run id or its beginning, a run's name, best:SWEEP, or the path of a checkpoint. Every
export is compared with PyTorch on real images, and comes with a model card and a script,
predict.py, that answers for image files as src.predict does, without Frostline.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from frostline.commands.arguments import (
    add_run,
    add_store,
    add_threads,
    command_parser,
    reported_errors,
    run_given,
    say,
)
from frostline.errors import ConfigError
from frostline.files import file_name

if TYPE_CHECKING:
    from frostline.inference.formats.write_export import Exported

FORMATS = ("onnx", "torch_export", "torchscript", "timm", "mlflow")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    given = _parser().parse_args(arguments)
    with reported_errors():
        _run(given)


def _run(given: argparse.Namespace) -> None:
    if given.register and given.format != "mlflow":
        raise ConfigError(
            f"--register {given.register} with --format {given.format}", "--format mlflow"
        )
    if given.any_size and given.format != "onnx":
        raise ConfigError(f"--any-size with --format {given.format}", "--format onnx")
    from frostline.inference.formats.needed_packages import check_packages

    check_packages(given.format, f"--format {given.format}")
    rebuilt = run_given(given)
    from frostline.inference.formats.write_export import export_run, is_export, sample_of
    from frostline.tracking.store import open_store

    store = open_store(given.uri, "Default") if rebuilt.record is not None else None
    if given.register and (store is None or rebuilt.record is None):
        raise ConfigError(
            f"--register {given.register}: a checkpoint given by its path has no run in the store",
            "a run id, a run's name, or best:SWEEP",
        )
    name = f"{file_name(rebuilt.name)}-{given.format}"
    out = given.out or Path("outputs") / "exports" / name
    if out.exists() and not given.force and any(out.iterdir() if out.is_dir() else [out]):
        raise ConfigError(f"--out {out}: it exists already", todo="give another folder, or --force")
    if out.is_file() or (out.is_dir() and any(out.iterdir()) and not is_export(out)):
        # What --force removes is an export, never a folder of something else.
        raise ConfigError(f"--out {out}: it exists and is no export", todo="give another folder")
    sample = sample_of(rebuilt, given.images)
    done = export_run(
        rebuilt, given.format, out, sample, store, any_size=given.any_size, on_progress=say
    )
    print("\n".join(_lines(done, rebuilt.name, given.format)))
    if given.register and store is not None and rebuilt.record is not None:
        from frostline.tracking.mlflow_model import register_model

        about = (done.folder / "README.md").read_text(encoding="utf-8")
        version = register_model(store, rebuilt.record.run_id, done.folder, given.register, about)
        print(f"registered: models:/{given.register}/{version}")


def _lines(done: "Exported", run: str, form: str) -> Iterator[str]:
    yield f"{run} as {form}: {done.folder}"
    yield (
        f"logits differ from PyTorch's by at most {done.difference:.2g} on {done.n_checked} images"
    )
    yield (
        f"probabilities by predict.py differ by at most {done.script_difference:.2g} on "
        f"{done.n_tried} images"
    )
    yield f"use it anywhere, without Frostline:  python {done.folder}/predict.py photo.jpg"
    if form == "torchscript":
        yield "PyTorch calls TorchScript deprecated; its successor here is --format torch_export"


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("src.export", __doc__)
    add_run(parser, default="best:latest")
    parser.add_argument("--format", choices=FORMATS, required=True)
    parser.add_argument(
        "--out", metavar="DIR", type=Path, help="default: outputs/exports/RUN-FORMAT"
    )
    parser.add_argument(
        "--any-size", action="store_true", help="with onnx: the file resizes and crops by itself"
    )
    parser.add_argument("--force", action="store_true", help="replace an existing export")
    parser.add_argument(
        "--images", metavar="IMAGES", nargs="+", default=[],
        help="check the export on these; default: the run's own test images",
    )  # fmt: skip
    parser.add_argument("--register", metavar="NAME", help="register it in MLflow's model registry")
    add_threads(parser)
    add_store(parser)
    return parser
