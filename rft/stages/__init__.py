"""The stages: one typed class each, with its identity, what it does and what it is read as. See rft.stages.stage.

They know nothing of caching, sweeps, Hydra or W&B. Stages that one method alone has stand in its file (rft.methods).
"""
