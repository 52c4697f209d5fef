"""The driver of a board: everything between `host.backends.board` and Linux."""
