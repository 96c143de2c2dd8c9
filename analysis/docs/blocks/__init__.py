"""The kinds of generated blocks: each module registers what it makes of a study (analysis.docs.registry)."""
