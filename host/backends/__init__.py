"""What can stand behind `host.accelerator.Accelerator`."""
