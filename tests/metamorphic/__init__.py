"""Changes to a study's surroundings that must change no number, and changes that must never merge two cells."""
