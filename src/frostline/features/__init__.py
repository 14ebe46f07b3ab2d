"""Stored features: a frozen prefix's outputs on disk, reused over epochs, seeds, rates and jobs."""
