"""The window feeder: from the plane memory to the rows of the array."""
