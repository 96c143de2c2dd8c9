"""From study folders to cells, points and questions about them.

table, outcomes = verified(load_studies([folder]))         # studies, checks: cells whose files say one thing
points = make_points(table.cells, outcomes)                # points: one per setting, its replicates averaged
same_but(where(points, method="rft", k=16)[0], points, method="sft")     # query
"""
