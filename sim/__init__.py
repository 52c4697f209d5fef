"""What the machine does, in software: the golden model, the cycle model, the co-simulation."""
