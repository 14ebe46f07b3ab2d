"""A user's own things beside the package: where they lie, which code it is, how it is built."""
