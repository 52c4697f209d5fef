"""Host software: networks and methods, the step graph, the compiler, accelerators, training."""
