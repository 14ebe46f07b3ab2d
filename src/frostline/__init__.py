"""Frostline: sweeps that say which pretrained backbone to take and how deep to freeze it."""
