"""The boards, one module each. Its name is the target's; it holds the value ``TARGET``."""
