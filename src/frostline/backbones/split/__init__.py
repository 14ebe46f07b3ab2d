"""A backbone cut in two at a stage: its pass is recorded, divided there, and verified."""
