"""The backends of `host.accelerator.Accelerator`."""
