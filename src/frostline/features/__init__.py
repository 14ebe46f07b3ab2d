"""Outputs of frozen prefixes: kept on disk, reused over epochs, seeds, learning rates and jobs."""
