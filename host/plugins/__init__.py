"""What methods, networks and data sets have in common: options as data, and registries.

`option` has the options that a user can give, and `registry` the names under which what they
choose between is found.
"""
