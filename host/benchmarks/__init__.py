"""Speed of simulation, packing and training on this computer: `fractrain bench`."""
