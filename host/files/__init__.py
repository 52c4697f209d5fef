"""Files that outlast a crash: read (`regular`), written whole (`atomic`), line by line (`journal`),
as the outputs of a command (`outputs`)."""
