"""The config of a run: its schema, how it is read, how mistakes in it are told."""
