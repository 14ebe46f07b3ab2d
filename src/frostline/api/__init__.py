"""Frostline from Python and notebooks: the commands' own work, as calls that return values.

from frostline import api

swept = api.sweep(data="photos", backbone=["resnet50", "vgg16"], freeze=[0, 2, 4])
swept.table()
model = api.load("best:ID")
model("new_photos/")
"""

from frostline.api.model import Model, load
from frostline.api.run_table import runs
from frostline.api.sweep_call import sweep
from frostline.api.sweep_result import Sweep

__all__ = ["Model", "Sweep", "load", "runs", "sweep"]
