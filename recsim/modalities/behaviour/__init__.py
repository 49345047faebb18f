"""Item embeddings from who clicked what. `recsim.modalities.behaviour.modality` makes a modality of them."""
