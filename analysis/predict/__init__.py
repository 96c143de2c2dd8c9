"""Predict, then look: the smaller cells of a study predict the larger ones, and both are laid side by side.

rows = every_row(points, outcomes)          # rows: one a held-out cell of every cut, with its rivals
print(report(rows, points, outcomes))       # text
rft predict multirun_outputs/mine --hold-out model=nano-l      # command
"""
