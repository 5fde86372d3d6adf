"""Outside world to raw tables: files, generated data, connectors."""
