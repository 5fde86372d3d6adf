"""Files to raw rows: `load` reads CSV, TSV, JSON lines and Parquet into one raw table."""
