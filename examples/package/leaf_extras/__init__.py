"""Own things for others to install."""
