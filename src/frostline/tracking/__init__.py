"""Where runs are recorded: the store, a run's life, its origin, and the way back to it."""
