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
import pyarrow.pandas_compat
import pyarrow.parquet  # noqa: F401
import pytorch_lightning  # noqa: F401
import sqlalchemy.dialects.sqlite
import sqlalchemy.orm
import timm  # noqa: F401
import torch.utils.serialization  # noqa: F401
import torchmetrics  # noqa: F401

import src.analysis.predictions
import src.backbones.build
import src.backbones.cut
import src.backbones.weights
import src.data.checks.kept
import src.data.contact_sheet
import src.data.datamodule
import src.data.imbalance
import src.data.load
import src.data.mixing
import src.data.sources.folder
import src.data.sources.leaves
import src.data.split_file
import src.explain.history
import src.explain.of_run
import src.features.reuse
import src.sweep.grouped
import src.sweep.job
import src.sweep.preflight
import src.tracking.inputs
import src.tracking.provenance
import src.tracking.store
import src.training.assembly
import src.training.callbacks
import src.training.engine
import src.training.evaluation
import src.training.head
import src.training.logs
import src.training.loss
import src.training.phase
import src.training.resume
import src.training.task  # noqa: F401
from src.backbones.findcut import Recordings
from src.backbones.pooling import Finish
from src.backbones.stages import outline
from src.sweep.plan import code_version
from src.tracking.schema import newest_version

WARMED_BY = "test_efficientnet"
sqlalchemy.orm.configure_mappers()
code_version()  # kept for all jobs: it reads every source file
newest_version()
# The first model that a process looks at without numbers pays for what torch then sets up.
model, spec, _, stages = outline(WARMED_BY, None)
if (boundary := stages[1].end) is not None:
    Recordings(model, [boundary], spec.size_px, Finish("none")).cut_at(boundary)
# What lives now lives to the end. A collection in a job would look through all of it, and copy by
# its marks every page that the job shares with this process: a second, once or more a job.
# https://docs.python.org/3/library/gc.html#gc.freeze
gc.collect()
gc.freeze()
# A signal to the whole process group is for the jobs; this process ends when its parent does.
signal.signal(signal.SIGTERM, signal.SIG_IGN)
