"""Power as the board's sensors tell it (Linux hwmon): rails, sampling, energy, records of it."""
