"""Studies: from what they run and what was recorded to the table in their text."""
