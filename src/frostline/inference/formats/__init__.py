"""A run in the formats of others: ONNX, TorchScript, timm, MLflow, each with a model card."""
