"""Methods: who decides at which precision the residual blocks of a run work, and when that changes.

Each method is one module here (`static`, `pfq`, `dfq`, `fractrain`) with its options, a builder and
a `METHOD` that names both; adding one is adding its module. `method` has what they are made of,
`registry` finds them, `recipe` has a method together with the values of its options.
"""
