"""Evidence of how a trained run works and where it fails."""
