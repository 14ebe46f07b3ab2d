"""Frostline: sweeps that say which pretrained backbone to take and how deep to freeze it.

From Python: `frostline.api` (`sweep`, `load`, `runs`); from a shell: `frostline train`.
"""
