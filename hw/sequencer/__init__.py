"""Dynamic-precision scheduling: the table that holds the bits, the sequencer that spends them."""
