"""Static fusion baselines: fitted once on logs, served unchanged."""
