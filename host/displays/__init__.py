"""What is seen while something long goes on: bars on a terminal, lines of text elsewhere."""
