"""Labelled images: sources, one table, splits, decoded pixels, batches."""
