"""The analysis of studies: pure functions on records and outcomes. Of `rft` it imports `rft.records`, `rft.votes`,
`rft.scores`, `rft.registry`, `rft.sweeps` and `rft.archive` alone.

python analysis/plot_scaling.py multirun_outputs/quickstart --report
python -m analysis.plan.planner multirun_outputs/quickstart --target rft_gain
python -m analysis.wandb_workspace ENTITY/PROJECT --dry-run
"""
