"""Costs of steps as people read them: rows of tables, pages, documents."""
