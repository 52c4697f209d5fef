"""The matrix engine: command decoder, fetch, execute and result stages around the MAC array."""
