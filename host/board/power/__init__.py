"""Power by the board's sensors (Linux hwmon): rails, sampling, energy, records."""
