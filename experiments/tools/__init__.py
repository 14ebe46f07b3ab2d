"""Tools that write the tables of the studies from their recorded runs."""
