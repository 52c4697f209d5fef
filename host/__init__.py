"""Host software: the accelerator interface and its backends, layout, FracTrain, training, CLI."""

__version__ = "0.1.0"
