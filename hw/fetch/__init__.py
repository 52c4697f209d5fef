"""From memory into the machine: tensors for the on-chip memories, and the command stream."""
