"""The config of a run: schema, reading, error messages, identity and versions of results."""
