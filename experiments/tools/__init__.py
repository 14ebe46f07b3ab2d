"""What writes the studies' tables from their recorded runs."""
