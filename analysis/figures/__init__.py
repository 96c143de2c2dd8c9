"""Figures as pure functions: data in, `Drawing` (figure, fits, caption) out. They never save."""
