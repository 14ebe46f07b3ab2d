"""Which labels are probably wrong: suspects, how well such are found on these images, a page."""
