"""Independent, slow oracle of the paper's selection of sampled solutions."""
