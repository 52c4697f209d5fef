"""What the machine does, in software: the golden model and the co-simulation."""
