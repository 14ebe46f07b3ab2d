"""The option of a config group that somebody means who types one that does not exist."""

import difflib
from collections.abc import Sequence

from frostline.config.conf_files import CONF
from frostline.config.spelling import bare_of

# What the option is called elsewhere, without dashes and underscores.
_OTHER_NAMES = {
    "trainer": {"auto": "gpu cuda mps gpus single default", "ddp": "multigpu distributed dp fsdp"},
    "data": {
        "folder": "dir directory images imagefolder folders image",
        "csv": "table tsv excel xlsx dataframe spreadsheet",
        "archive": "zip tar targz",
        "hub": "hf huggingface datasets",
        "idx": "mnist fashionmnist fashion emnist kmnist ubyte",
        "leaves": "default builtin demo",
    },
    "augment": {
        "flip": "hflip horizontalflip mirror",
        "dihedral": "rotate rotation d4 vflip verticalflip rot90",
        "trivial": "trivialaugment trivialaugmentwide",
        "randaugment": "ra rand autoaugment",
        "crop": "randomresizedcrop rrc",
        "color": "colour colorjitter jitter",
        "none": "off no",
    },
    "mix": {"none": "off no"},
    "head": {"linear": "fc", "mlp": "nonlinear dense hidden"},
    "loss": {"cross_entropy": "ce softmax nll bce"},
    "lr_schedule": {
        "cosine": "cosineannealing cosineannealinglr warmupcosine onecycle",
        "step": "steplr multistep",
        "plateau": "reducelronplateau",
        "constant": "none off fixed",
    },
    "schedule": {"constant": "none off", "gradual": "gradualunfreezing ulmfit discriminative"},
    "callbacks": {"keras": "earlystopping earlystop"},
    "tracking": {"mlflow": "none off wandb tensorboard"},
    "hydra/launcher": {
        "submitit_slurm": "cluster sbatch",
        "joblib": "parallel",
        "isolated": "none",
    },
}  # fmt: skip


def likely_option(group: str, typed: str, options: Sequence[str]) -> str | None:
    """The option that a typed one stands for; None if nothing is like it.

    Args:
        group: Such as `trainer` or `hydra/launcher`.
        typed: What was given in the place of an option.
        options: Those that there are.
    """
    bare = bare_of(typed)
    by_name = {bare_of(option): option for option in options}
    if bare in by_name:
        return by_name[bare]
    for option, others in _OTHER_NAMES.get(group, {}).items():
        if bare in others.split() and option in options:
            return option
    if len(bare) >= 3:
        # `slurm` is a part of submitit_slurm; the shortest such name is the most general.
        parts = [name for name in by_name if bare in name or (len(name) >= 4 and name in bare)]
        if parts:
            return by_name[min(parts, key=len)]
    close = difflib.get_close_matches(bare, by_name, n=1)
    return by_name[close[0]] if close else None


def groups_with(option: str) -> list[str]:
    """The groups of conf/ that have an option of this name: `cosine` is one of lr_schedule."""
    found = [file.parent.name for file in CONF.glob(f"*/{option}.yaml")]
    return sorted(name for name in found if name != "experiments")


def remark(group: str, meant: str) -> str:
    """What an option does that its name does not say; empty for most."""
    if (group, meant) == ("trainer", "auto"):
        return ", which takes the GPU where there is one"
    return ""
