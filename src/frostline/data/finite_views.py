"""Augmentations with a finite set of views per image, and their number; imports no library."""

FINITE_VIEWS = {"none": 1, "flip": 2, "dihedral": 8}
