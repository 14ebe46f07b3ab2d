"""What makes results comparable besides the settings: versions raised by hand, and the libraries.

A finished run, stored features or cached measures are reused only by code that gives the same
numbers. Whether a change of the code alters them is for its author to say, by raising the number
below; tests/golden fails if the numbers changed and the version did not.
"""

from functools import cache

# Raise it when a run with the same settings and data gives other losses, metrics or weights.
#   1  First explicit version; before, runs were recognised by a digest of the source code.
RESULTS_VERSION = 1

# Raise it when a frozen prefix gives other outputs for the same image and weights.
#   1  First explicit version; before, stored features were recognised by a digest of the source.
#   2  Images are held against the digests of the scan; older ones may hold a file that changed.
#   3  In 2, mirror images could hold the outputs of the image itself, where heads with several
#      augmentations trained together.
FEATURES_VERSION = 3

# Raise it when the measures behind `strategy=auto` and `src.advise` give other values.
#   1  First explicit version; before, measures were recognised by a digest of the source code.
MEASURES_VERSION = 1

# The libraries whose versions change numbers: kernels, layers, decoding and resizing of images.
LIBRARIES = ("pillow", "timm", "torch", "torchvision")


@cache
def installed_libraries() -> str:
    """The installed versions of these libraries, such as `pillow 11.3, timm 1.0, torch 2.14, ...`.

    Only major and minor version count: patch releases mend faults and keep the numbers, or else
    hardly any stored result would outlive an update.
    """
    from importlib.metadata import version

    import PIL  # The module, not the package: Pillow-SIMD installs the same one.

    installed = {name: version(name) for name in LIBRARIES if name != "pillow"}
    installed["pillow"] = PIL.__version__
    return ", ".join(f"{name} {_major_minor(installed[name])}" for name in LIBRARIES)


def library_changes(then: str, now: str) -> list[str]:
    """Name the libraries that differ, each as `torch was 2.13, is 2.14`.

    Args:
        then: What `installed_libraries` returned when the earlier result was made.
        now: What it returns now.
    """
    before, after = (dict(_pairs(text)) for text in (then, now))
    return [
        f"{name} was {before.get(name, 'not recorded')}, is {after.get(name, 'not recorded')}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


def _pairs(text: str) -> list[tuple[str, str]]:
    words = (entry.split(" ", 1) for entry in text.split(", ") if " " in entry)
    return [(name, version) for name, version in words]


def _major_minor(version: str) -> str:
    """`2.14.1+cu130` as `2.14`; `9.5.0.post2` as `9.5.post`, which is how Pillow-SIMD differs."""
    fork = ".post" if ".post" in version else ""
    return ".".join(version.split(".")[:2]) + fork
