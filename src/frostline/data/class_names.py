"""One spelling for the classes of data sets that exist in several copies."""

import re
from collections.abc import Callable, Mapping
from functools import cache

from frostline.errors import DataError

# Source: the folders of https://github.com/spMohanty/PlantVillage-Dataset, raw/color.
_PLANTVILLAGE = """\
Apple___Apple_scab
Apple___Black_rot
Apple___Cedar_apple_rust
Apple___healthy
Blueberry___healthy
Cherry_(including_sour)___Powdery_mildew
Cherry_(including_sour)___healthy
Corn_(maize)___Cercospora_leaf_spot Gray_leaf_spot
Corn_(maize)___Common_rust_
Corn_(maize)___Northern_Leaf_Blight
Corn_(maize)___healthy
Grape___Black_rot
Grape___Esca_(Black_Measles)
Grape___Leaf_blight_(Isariopsis_Leaf_Spot)
Grape___healthy
Orange___Haunglongbing_(Citrus_greening)
Peach___Bacterial_spot
Peach___healthy
Pepper,_bell___Bacterial_spot
Pepper,_bell___healthy
Potato___Early_blight
Potato___Late_blight
Potato___healthy
Raspberry___healthy
Soybean___healthy
Squash___Powdery_mildew
Strawberry___Leaf_scorch
Strawberry___healthy
Tomato___Bacterial_spot
Tomato___Early_blight
Tomato___Late_blight
Tomato___Leaf_Mold
Tomato___Septoria_leaf_spot
Tomato___Spider_mites Two-spotted_spider_mite
Tomato___Target_Spot
Tomato___Tomato_Yellow_Leaf_Curl_Virus
Tomato___Tomato_mosaic_virus
Tomato___healthy"""
PLANTVILLAGE_CLASSES = tuple(_PLANTVILLAGE.splitlines())
NAME_SETS = {"plantvillage": PLANTVILLAGE_CLASSES}


def spelling(names: str | None, rename: Mapping[str, str] | None) -> Callable[[str], str]:
    """Return the function that gives the name of a class in the table.

    Args:
        names: Set of known names whose spelling is used, or None.
        rename: Names to other names; applied last.

    Returns:
        A function from a name in the data; unknown names are not changed.

    Raises:
        DataError: If there is no such set.
    """
    if names is not None and names not in NAME_SETS:
        raise DataError(f"data.names={names}: there is no such set", ", ".join(NAME_SETS))
    by_letters = {_letters(name): name for name in NAME_SETS[names]} if names else {}
    renamed = rename or {}

    @cache
    def spell(name: str) -> str:
        canonical = by_letters.get(_letters(name), name)
        return renamed.get(name, renamed.get(canonical, canonical))

    return spell


def _letters(name: str) -> str:
    """Reduce a name to what all copies of a data set have: letters and digits, no parentheses.

    `Corn_(maize)___Common_rust_` and `Corn___Common_rust` both are `corncommonrust`.
    """
    return re.sub(r"[^a-z0-9]", "", re.sub(r"\([^)]*\)", "", name).lower())
