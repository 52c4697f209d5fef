"""Common parts of methods, networks and data sets: options as data (`option`), and registries
(`registry`).
"""
