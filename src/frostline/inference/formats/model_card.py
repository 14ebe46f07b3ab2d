"""The model card: training data, scores, known failures and limits of a run."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from frostline.config.data_settings import RGB_CHANNELS
from frostline.data.geometry import Geometry
from frostline.data.sources.leaves import DRAWN
from frostline.inference.explain.confusion import class_figures, confused_pairs, count_confusions
from frostline.inference.formats.predict_script import PACKAGES
from frostline.inference.rebuild import Rebuilt
from frostline.inference.score_intervals import intervals_of
from frostline.invocation import as_called
from frostline.stats.predictions import Predictions

_MAX_FAILING, _MAX_PAIRS = 5, 5
# Classes with a lower recall are listed as failing.
_MIN_RECALL = 0.8
_SCORE_NAMES = {"f1_macro": "mean F1 of the classes", "acc_macro": "mean recall of the classes",
          "acc_micro": "accuracy"}  # fmt: skip
# The model alone, without `predict.py`.
_USES = {
    "onnx": """```python
import json, numpy as np, onnxruntime
session = onnxruntime.InferenceSession("model.onnx")
classes = json.loads(session.get_modelmeta().custom_metadata_map["classes"])
images = np.zeros((1, {channels}, {height}, {width}), np.uint8)   # {kind} {shape}, see Input
logits, probabilities = session.run(None, {{"images": images}})
```""",
    "onnx, any size": """```python
import json, numpy as np, onnxruntime
session = onnxruntime.InferenceSession("model.onnx")
classes = json.loads(session.get_modelmeta().custom_metadata_map["classes"])
image = np.zeros((480, 640, {channels}), np.uint8)   # {image}, see Input
logits, probabilities = session.run(None, {{"image": image}})
```""",
    "torch_export": """```python
import torch
model = torch.export.load("model.pt2").module()
logits, probabilities = model(torch.zeros(1, {channels}, {height}, {width}, dtype=torch.uint8))
```""",
    "torchscript": """```python
import torch
model = torch.jit.load("model.pt")
logits, probabilities = model(torch.zeros(1, {channels}, {height}, {width}, dtype=torch.uint8))
```

PyTorch calls TorchScript deprecated: `--format torch_export` is its successor.""",
    "timm": """```python
import timm, torch
model = timm.create_model("local-dir:.", pretrained=True).eval()
# or: timm.create_model("{backbone}", num_classes={classes}{arguments},
#                       checkpoint_path="model.safetensors")
logits = model(torch.zeros(1, {channels}, {height}, {width}))   # normalised {kind} {shape}
```

The transform of `timm.data.create_transform` resizes, crops and normalises as Input says, but
decodes nothing: give it images that are {image}.""",
    "mlflow": """```
mlflow models serve -m . --env-manager local -p 5001
curl 127.0.0.1:5001/invocations -H 'Content-Type: application/json' \\
  -d '{{"inputs": {{"images": [...]}}}}'
```

The images are {kind} {shape} (N, {channels}, {height}, {width}), see Input; `to_square` of
`predict.py` makes them.""",
}
_SCRIPT_USE = """```
pip install {packages}
python predict.py photo.jpg more_photos/ --top 3
```

`predict.py` answers as the run itself does for any image file, and needs nothing of Frostline. From
Python, in this folder:

```python
from pathlib import Path
from predict import answers, load, read_steps
steps = read_steps(Path("."))
network = load(Path("."), steps)
for answer in answers(network, [Path("photo.jpg")], top=1, batch_size=1):
    print(steps.classes[answer.top[0]], answer.probs[0])
```

The model alone:

"""


@dataclass(frozen=True)
class Facts:
    """What the card takes from the record of a run; None where the record lacks it.

    Attributes:
        data: The data set's profile (`data.json`).
        test: Predictions of the test images.
        split_sizes: Images in each split.
        difference: The export's largest difference of a logit from PyTorch.
        n_checked: Number of images compared.
    """

    data: Mapping[str, Any] | None
    test: Predictions | None
    split_sizes: Mapping[str, int] | None
    difference: float
    n_checked: int


def write_card(rebuilt: Rebuilt, form: str, facts: Facts, *, any_size: bool = False) -> str:
    """Write the card as Markdown.

    Args:
        rebuilt: The run.
        form: The format.
        facts: From its record.
        any_size: Whether the model resizes by itself.
    """
    parts = [
        f"# {rebuilt.name}",
        f"An image classifier of {len(rebuilt.classes)} classes: `{rebuilt.backbone.name}` "
        f"{_origin(rebuilt)}.",
        _use(rebuilt, form, any_size=any_size),
        _input(rebuilt, form, any_size=any_size),
        _data(facts),
        _figures(rebuilt, facts),
        _limits(rebuilt, facts),
        "## Classes\n\n" + ", ".join(map(_quoted, rebuilt.classes)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _origin(rebuilt: Rebuilt) -> str:
    record = rebuilt.record
    source = rebuilt.settings.weights
    if record is not None:
        source = record.tags.get("frostline.weights_source", "")
    start = "from random weights" if source == "random" else "from pretrained weights"
    if partial := (record.tags.get("frostline.weights_partial", "") if record else ""):
        start = f"from **partial weights** (the file had {partial}; the rest began random)"
    if len(rebuilt.soup_of) > 1:
        runs = ", ".join(map(_quoted, rebuilt.soup_of))
        return f"with the mean weights of {len(rebuilt.soup_of)} runs, fine-tuned {start}: {runs}"
    run = f", run `{record.run_id}`" if record else ""
    depth = f"fine-tuned with `freeze={rebuilt.settings.freeze}`"
    return f"{depth}, {start}, seed {rebuilt.settings.seed}{run}"


def _quoted(name: str) -> str:
    """A class name as code in Markdown, on one line whatever is in it."""
    plain = "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in name)
    ticks = "`" * (1 + max((len(run) for run in re.findall("`+", plain)), default=0))
    gap = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{ticks}{gap}{plain}{gap}{ticks}"


def _use(rebuilt: Rebuilt, form: str, *, any_size: bool) -> str:
    head = rebuilt.settings.head
    spec = rebuilt.backbone.input
    arguments = f", img_size={spec.sides}" if spec.fixed_size else ""
    in_chans = rebuilt.geometry.in_chans
    arguments += "" if in_chans == RGB_CHANNELS else f", in_chans={in_chans}"
    arguments += ', global_pool="max"' if head.pool == "max" else ""
    alone = _USES[f"{form}, any size" if any_size else form].format(
        height=spec.shape[1],
        width=spec.shape[2],
        shape="squares" if spec.width_px is None else "rectangles",
        channels=rebuilt.geometry.in_chans,
        kind=_kind(rebuilt.geometry.in_chans),
        image=_image(rebuilt.geometry.in_chans),
        backbone=rebuilt.backbone.name,
        classes=len(rebuilt.classes),
        arguments=arguments,
    )
    return "## Use\n\n" + _SCRIPT_USE.format(packages=" ".join(PACKAGES[form])) + alone


def _input(rebuilt: Rebuilt, form: str, *, any_size: bool) -> str:
    geometry, spec = rebuilt.geometry, rebuilt.backbone.input
    height, width = geometry.shape
    norm = (
        f"Then normalise with mean {spec.mean} and deviation {spec.std} of values in 0 .. 1."
        if form == "timm"
        else "Values are 0 .. 255 as they are: the normalisation is part of the model."
    )
    size_note = "" if height == width else f" ({height} high, {width} wide)"
    where = " These two steps are part of the model, too." if any_size else ""
    return (
        f"## Input\n\n{_decoded(rebuilt)}. Then "
        f"resized by Pillow ({geometry.interpolation}, `{geometry.crop_mode}`) to "
        f"{_resized(geometry)} px and cropped to the central "
        f"{height} x {width} px{size_note}.{where} {norm}\n\n`inference.json` has each "
        "step with its rounding, for programs in other languages; `predict.py` does them. Resizing "
        "with another library than Pillow, or without its antialiasing, changes answers."
    )


def _resized(geometry: Geometry) -> str:
    """To which size the image is resized before it is cropped."""
    height, width = geometry.shape
    if height == width:
        return f"{height} / {geometry.crop_pct:g}"
    within = {"squash": "exactly", "border": "fit within"}.get(geometry.crop_mode, "cover")
    down, across = geometry.scaled
    return f"{within} {down} x {across}"


def _decoded(rebuilt: Rebuilt) -> str:
    in_chans, deep = rebuilt.geometry.in_chans, _deep_grey(rebuilt)
    if in_chans not in {1, RGB_CHANNELS}:
        return f"The {in_chans} channels of an image, as they are in the file; {deep}; of 8 bits"
    return (
        "The first frame of an image, upright by its EXIF orientation; what is transparent "
        f"(alpha, palettes) on white; {deep}; {_kind(in_chans)} of 8 bits"
    )


def _kind(in_chans: int) -> str:
    names = {1: "grey", RGB_CHANNELS: "RGB"}
    return names.get(in_chans, f"{in_chans}-channel")


def _image(in_chans: int) -> str:
    known = in_chans in {1, RGB_CHANNELS}
    return f"upright {_kind(in_chans)} on white" if known else f"all {in_chans} channels"


def _deep_grey(rebuilt: Rebuilt) -> str:
    if rebuilt.value_range is None:
        return "16-bit grey divided by 257"
    low, high = rebuilt.value_range
    return f"grey of more than 8 bits from {low:g} (black) to {high:g} (white)"


def _data(facts: Facts) -> str:
    if facts.data is None:
        return ""
    data = facts.data
    lines = [
        f"{data['name']}: {data['images']:,} images in {data['groups']:,} groups "
        f"(photos of one thing), fingerprint `{data['fingerprint'][:16]}`."
    ]
    if facts.split_sizes is not None:
        sizes = ", ".join(f"{count:,} {name}" for name, count in facts.split_sizes.items())
        lines.append(f"Images: {sizes}. No group is in two splits.")
    if str(data.get("source", "")).startswith(DRAWN):
        lines.append("**These images are drawings**: nothing here holds for photos of leaves.")
    return "## Data\n\n" + "\n".join(lines)


def _figures(rebuilt: Rebuilt, facts: Facts) -> str:
    if facts.test is None or rebuilt.record is None:
        return ""
    rows = ["| figure on the test split | value | 95 % interval |", "|---|---|---|"]
    for name, (low, high) in intervals_of(facts.test).items():
        value = rebuilt.record.metrics.get(f"test/{name}")
        if value is not None:
            rows.append(f"| {_SCORE_NAMES[name]} | {value:.4f} | {low:.4f} .. {high:.4f} |")
    return (
        "## Figures\n\n" + "\n".join(rows) + "\n\nIn the intervals the images of a group count as "
        "one. They hold for this one training; another seed may differ by more."
        + f"\n\nThis file differs from the trained model by at most {facts.difference:.2g} in a "
        f"logit, on {facts.n_checked} images."
    )


def _limits(rebuilt: Rebuilt, facts: Facts) -> str:
    lines = [
        "- It always answers with one of its classes, even for an image of something else.",
        "- Its scores hold for images taken like those it was trained on. From lab to field they "
        "have fallen from .998 to .195 in a published case: evaluate it on your own images with "
        + as_called("`python -m src.evaluate RUN --data DIR`."),
    ]
    if facts.test is not None:
        lines += _failing(rebuilt.classes, facts.test)
    return "## Known limits\n\n" + "\n".join(lines)


def _failing(classes: Sequence[str], test: Predictions) -> list[str]:
    counts = count_confusions(test.labels, test.predicted, len(classes))
    each = class_figures(counts)
    order = sorted(
        (k for k in range(len(classes)) if each.recall[k] < _MIN_RECALL),
        key=lambda k: float(each.recall[k]),
    )
    failing = [
        f"{_quoted(classes[k])} ({each.recall[k]:.0%} of {each.support[k]})"
        for k in order[:_MAX_FAILING]
    ]
    pairs = [
        f"{_quoted(pair.truth)} taken for {_quoted(pair.taken_for)} ({pair.count})"
        for pair in confused_pairs(counts, classes, _MAX_PAIRS)
    ]
    lines = []
    if failing:
        more = f", and {len(order) - _MAX_FAILING} more" if len(order) > _MAX_FAILING else ""
        lines.append(f"- Classes recognised in less than {_MIN_RECALL:.0%} of their images: "
                     f"{', '.join(failing)}{more}.")  # fmt: skip
    if pairs:
        lines.append(f"- Confused most often: {', '.join(pairs)}.")
    return lines
