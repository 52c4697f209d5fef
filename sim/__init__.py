"""The machine in software: golden model, emulator, cycle model, co-simulation, simulated board."""
