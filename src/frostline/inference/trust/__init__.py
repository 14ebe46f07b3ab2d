"""How far an answer can be trusted: sets of classes, calibrated probabilities, unlike pictures."""
