"""The analysis of studies: pure functions on records and outcomes. Of `rft` it imports `rft.records` alone.

python analysis/plot_scaling.py multirun_outputs/quickstart
"""
