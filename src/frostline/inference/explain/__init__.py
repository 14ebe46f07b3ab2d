"""Evidence of what a trained run does and where it fails."""
