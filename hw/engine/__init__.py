"""The convolution engine: execute stage, memory system, supervisor, and the whole machine."""
