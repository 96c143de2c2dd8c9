"""Disk, processes and bookkeeping: never imports the models (rft.core), nor they it."""
