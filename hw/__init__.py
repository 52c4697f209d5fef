"""The hardware: the contract with software, and the Amaranth components that keep it."""
