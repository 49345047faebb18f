"""Item embeddings from logs: who clicks what."""
