"""The life of a sweep: plan, jobs apart from each other, outcome."""
