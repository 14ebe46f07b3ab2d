"""From finished runs to a verdict: statistics, comparisons, figures and the page."""
