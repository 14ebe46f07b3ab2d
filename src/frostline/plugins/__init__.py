"""A user's own things beside the package: where they are, which code it is, how it is built."""
