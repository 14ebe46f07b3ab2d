"""A trained run at work: built again, judged, asked, measured, taken away."""
