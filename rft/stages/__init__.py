"""The stages: one typed class each, which holds its identity, computes, and opens what was computed. See rft.stages.stage.

They know nothing of caching, sweeps, Hydra or W&B. Stages that one method alone has stand in its file (rft.methods).
"""
