"""The driver of the ZC706: everything between `host.backends.board` and Linux."""
