"""From a table and a folder of images to a catalogue: what is read, checked, found and done about it."""
