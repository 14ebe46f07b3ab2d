"""Runs recorded in MLflow: the store, logging and resuming a run, finding and restoring it."""
