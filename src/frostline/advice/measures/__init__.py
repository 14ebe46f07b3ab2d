"""Measures of a labelled data set on the frozen features of one pretrained backbone."""
