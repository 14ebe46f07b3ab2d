"""Write the first images of each class of Fashion-MNIST in MNIST's form.

    python experiments/clothes.py /usr/share/datasets/fashion-mnist data_share/clothes

The first folder is that of Debian's package dataset-fashion-mnist; whatever stands in MNIST's form
can be given instead. Images that stand in both parts, byte by byte, are left out of the test.
"""

import argparse
import struct
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from frostline.data.sources.idx_file import read_idx


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, help="folder with train-images-idx3-ubyte.gz ...")
    parser.add_argument("target", type=Path, help="folder that is made")
    parser.add_argument("--per-class", type=int, default=1050, help="train and val images (1050)")
    parser.add_argument("--test-per-class", type=int, default=200, help="test images (200)")
    given = parser.parse_args()
    given.target.mkdir(parents=True)
    seen: set[bytes] = set()
    for part, n in (("train", given.per_class), ("t10k", given.test_per_class)):
        images, labels = (read_part(given.source, part, kind) for kind in ("images", "labels"))
        rows = first_of_each(images, labels, n, seen)
        for kind, values in (("images", images[rows]), ("labels", labels[rows])):
            write_idx(given.target / f"{part}-{kind}-idx{values.ndim}-ubyte", values)
        print(f"{part}: {len(rows)} images of {len(np.unique(labels[rows]))} classes")


def first_of_each(images: np.ndarray, labels: np.ndarray, n: int, seen: set[bytes]) -> np.ndarray:
    """Rows of the first n images of each class that no part has had; adds them to `seen`.

    Args:
        images: (N, H, W) uint8.
        labels: (N,) uint8.
        n: Images of a class.
        seen: Bytes of the images taken so far.

    Returns:
        (n x classes,) rows in their order, fewer where a class has fewer.
    """
    left = dict.fromkeys(np.unique(labels).tolist(), n)
    rows = []
    for row, label in enumerate(labels.tolist()):
        pixels = images[row].tobytes()
        if left[label] and pixels not in seen:
            left[label] -= 1
            seen.add(pixels)
            rows.append(row)
    return np.array(rows)


def read_part(folder: Path, part: str, kind: str) -> np.ndarray:
    """The images or labels of a part."""
    (file,) = sorted(folder.glob(f"{part}-{kind}-idx*-ubyte*"))[:1]
    return read_idx(file).astype("u1")


def write_idx(path: Path, values: np.ndarray) -> None:
    """Write bytes in MNIST's form: http://yann.lecun.com/exdb/mnist/."""
    head = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    path.write_bytes(head + values.tobytes())


if __name__ == "__main__":
    main()
