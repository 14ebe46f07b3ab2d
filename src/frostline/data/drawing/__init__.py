"""Drawn crop leaves: the built-in data set."""
