"""Models: building, training, scoring and sampling. Everything here may import torch; nothing here touches the store or
W&B.
"""
