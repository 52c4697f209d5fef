"""What a machine counts while it works (`counters`), and what that says of a program (`work`)."""
