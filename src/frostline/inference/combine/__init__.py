"""What the runs of a sweep come to together: ensembles of their answers, soups of their weights."""
