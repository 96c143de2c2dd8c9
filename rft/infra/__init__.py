"""Disk, processes and bookkeeping: knows nothing of models (rft.core) and is not known by them."""
