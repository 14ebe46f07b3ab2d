"""Measures of a data set, the strategy that they propose, and the advice built on them."""
