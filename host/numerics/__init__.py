"""Numbers around the accelerator: real tensors to integers of a chosen width, and back."""
