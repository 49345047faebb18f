"""Logs larger than memory: folders of Parquet files, summed part by part on several processes."""
