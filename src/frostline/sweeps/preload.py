"""What a warm process has loaded before its first job. Imported by the fork server alone.

Whatever a job would import or compute alike in every process belongs here: it is paid once a sweep.
Nothing here may open a file for good, start a thread or touch CUDA, since forks would share it.
"""

import gc
import signal

import alembic.command  # noqa: F401
import hydra  # noqa: F401
import mlflow
import mlflow.store.db.utils
import mlflow.store.model_registry.sqlalchemy_store
import mlflow.store.tracking.sqlalchemy_store  # noqa: F401
import pandas  # noqa: F401
import PIL.Image
import pyarrow.dataset
import pyarrow.pandas_compat
import pyarrow.parquet  # noqa: F401
import pytorch_lightning  # noqa: F401
import sqlalchemy.dialects.sqlite
import sqlalchemy.orm
import timm  # noqa: F401
import torch.utils.serialization  # noqa: F401
import torchmetrics  # noqa: F401

import frostline.backbones.build
import frostline.backbones.split.cut
import frostline.backbones.weights
import frostline.data.checks.cached_checks
import frostline.data.contact_sheet
import frostline.data.image_datamodule
import frostline.data.imbalance
import frostline.data.load
import frostline.data.mixing
import frostline.data.sources.folder
import frostline.data.sources.leaves
import frostline.data.split_file
import frostline.features.reuse
import frostline.inference.explain.evidence
import frostline.sweeps.execute
import frostline.sweeps.preflight
import frostline.tracking.abandoned
import frostline.tracking.prediction_files
import frostline.tracking.provenance
import frostline.tracking.store
import frostline.training.head_group
import frostline.training.run  # noqa: F401
from frostline.backbones.build import outline
from frostline.backbones.pooling import OutputPooling
from frostline.backbones.split.cut_finder import CutFinder
from frostline.config.versions import installed_libraries
from frostline.sweeps.signals import STOP_SIGNALS
from frostline.tracking.database_schema import newest_version

WARMED_BY = "test_efficientnet"
sqlalchemy.orm.configure_mappers()
installed_libraries()  # stored for all jobs: it reads the packages' metadata
newest_version()
PIL.Image.preinit()
# The first model that a process looks at without numbers pays for what torch then sets up.
model, spec, _, stages = outline(WARMED_BY, None)
if (boundary := stages[1].end) is not None:
    CutFinder(model, [boundary], spec.shape, OutputPooling("none")).find(boundary)
# What lives now lives to the end. A collection in a job would look through all of it, and copy by
# its marks every page that the job shares with this process: a second, once or more a job.
# https://docs.python.org/3/library/gc.html#gc.freeze
gc.collect()
gc.freeze()
# A signal to the whole process group is for the jobs; this process ends when its parent does.
for each in STOP_SIGNALS:
    if each is not signal.SIGHUP:
        signal.signal(each, signal.SIG_IGN)
if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup, for the jobs as well
    signal.signal(signal.SIGHUP, lambda *_: None)
