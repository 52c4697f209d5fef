"""A board under Linux: it is opened here, and hands `host.driver` its bus and its clock."""
