"""Two studies or two cells beside each other: `sides` reads and matches them, `text` says in what they differ."""
