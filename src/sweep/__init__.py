"""The life of a sweep: plan, isolated jobs, outcome."""
