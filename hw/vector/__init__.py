"""The vector unit's arithmetic: the integer step of docs/numerics.md beside the array.

Each component is one formula of that page, bit for bit. All take a beat a cycle and have a fixed
latency: nothing here waits, so whoever feeds them admits only what has room behind them.
"""
