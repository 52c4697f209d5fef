"""A plugin for pytest: no example of hypothesis is too slow where instructions are emulated."""

from hypothesis import settings

settings.register_profile("emulated", deadline=None)
settings.load_profile("emulated")
