"""What is wrong with a data set, found before training: findings with numbers."""
