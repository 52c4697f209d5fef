"""A run of `fractrain train`: options, set-up, records, results.

options    all options, as data
checks     contradictions between options
setup      network, method, plan and the rest, from options
naming     the default name of a run
resuming   a run's options, from its record
running    a run from its beginning, or its checkpoint, to its end
results    its results, as text
display    its display while it trains
"""
