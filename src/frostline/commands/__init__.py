"""The command line: read what was given, call the package, print what came of it."""

COMMANDS = (
    "train", "advise", "report", "evaluate", "predict", "export", "backbones", "data", "features",
    "tracking", "ui", "demo", "completion",
)  # fmt: skip
