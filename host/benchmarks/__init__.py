"""How fast simulation, packing and training run on this computer: `fractrain bench`."""
