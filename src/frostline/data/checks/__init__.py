"""Checks of a data set before training: findings with numbers."""
