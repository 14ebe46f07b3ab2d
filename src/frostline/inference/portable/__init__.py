"""What becomes `predict.py` of an export: a script that answers as `src.predict`, but alone.

`single_file.py` writes one of the `*_network.py` here, with all that it uses of this package, as
one file: the code that decodes and resizes at a stranger's is the code that does so here.
"""
