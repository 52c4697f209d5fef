"""Methods: they choose the precision of a run's residual blocks, and when it changes.

Each method is one module here (`static`, `pfq`, `dfq`, `fractrain`) with its options, a builder and
a `METHOD` that names both; docs/howto/method.md adds one. `method` has their types, `registry`
finds them, `recipe` is a method with the values of its options.
"""
