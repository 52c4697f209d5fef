"""Host software: the accelerator interface and its backends, layout, FracTrain, training, CLI."""
