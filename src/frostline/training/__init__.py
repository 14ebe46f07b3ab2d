"""Training: the task, its head, its optimiser, its schedule, callbacks, and the recorder."""
