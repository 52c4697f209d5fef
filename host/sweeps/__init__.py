"""Many training runs as one: what `fractrain sweep` is made of.

plan         a YAML file → options of each run, before anything is checked
points       those options resolved: a name that is the same whenever the run is, no run twice
job          one run as a process: begun, or resumed from its checkpoint
child        what that process does first: it ends when the one that started it does
local        jobs as processes of this machine
cluster      jobs as tasks of a Dask scheduler that is there already
campaign     all points, one after the other through either; stops without losing anything
results      what came of it: tables, sweep.json
resolving    options checked as `fractrain train` would
running      all of that, from the file to the results
display      what is seen of it while it goes on
"""
