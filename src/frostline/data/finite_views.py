"""Recipes that give each image a finite set of views, and how many; no library is needed."""

FINITE_VIEWS = {"none": 1, "flip": 2, "dihedral": 8}
