"""Training: the task, its head, its optimiser, its schedule, and what watches over them."""
