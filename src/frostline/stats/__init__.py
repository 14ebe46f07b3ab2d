"""Statistics of a comparison: scores, what they vary with, paired differences, a verdict."""
