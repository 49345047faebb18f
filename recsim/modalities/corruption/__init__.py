"""Named, seeded ways to spoil a catalogue, with severities 1 to 5."""
