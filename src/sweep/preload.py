"""What a warm process has loaded before its first job. Imported by the fork server alone."""

import mlflow  # noqa: F401
import pytorch_lightning  # noqa: F401
import timm  # noqa: F401
import torch  # noqa: F401
import torchmetrics  # noqa: F401
