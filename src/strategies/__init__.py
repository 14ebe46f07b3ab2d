"""What to freeze on which data: measures of a data set, the strategies, who set which value."""
