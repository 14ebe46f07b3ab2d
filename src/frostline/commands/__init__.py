"""The command line: read what was given, call the package, print what came of it."""
