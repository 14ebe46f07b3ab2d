"""Frostline against what people do and against a tuned loop, in one call."""
