"""A run of `fractrain train`: its options, what is made of them, and what is recorded.

options    all options, as data
checks     those that contradict each other
setup      network, method, plan and the rest, made of options
naming     the name of a run that is given none
resuming   a run's options once more, from its record
running    a run from its beginning, or from where it was, to its end
results    what it amounts to, as text
display    what is seen of it while it goes on
"""
