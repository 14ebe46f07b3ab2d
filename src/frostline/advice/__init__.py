"""From measurements of a data set to advice: objections, hints, text and page."""
