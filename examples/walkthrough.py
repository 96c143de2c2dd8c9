# %% [markdown]
# # From a plan to a scaling law
# A study of one small base: SFT at three amounts of human data, and RFT at the largest, in about three minutes on one core.
# Run it as a script, or cell by cell in an editor that knows `# %%`. What is finished is found again.

# %%
import sys

from rft import api

SETTINGS = [word for word in sys.argv[1:] if "=" in word]  # of a script's command line; a notebook has none

# %% [markdown]
# ## Plan
# A cell is a path through stages; what several cells share is computed once.

# %%
CELLS = [
    *(api.plan("method=sft", f"data_frac={share}", *SETTINGS, study="walkthrough") for share in (0.25, 0.5, 1)),
    api.plan("method=rft", "k=4", *SETTINGS, study="walkthrough"),
]
stages = {stage.key: stage for cell in CELLS for stage in cell.stages}
print(f"{len(CELLS)} cells, {sum(len(cell.stages) for cell in CELLS)} stages, {len(stages)} of them different")
print(CELLS[-1].text)

# %% [markdown]
# ## Run

# %%
for cell in CELLS:
    record = api.run(cell)
    score = record.scores["maj1@1"]
    print(f"{cell.cell_id}: {100 * score.value:.1f} ± {100 * score.se:.1f} %")

# %% [markdown]
# ## Read
# A point is a setting with all its replicates. Its estimate says what its interval holds: here item noise alone.

# %%
results = api.read(CELLS[0].folder.parent)
for point in results.points:
    low, high = api.interval(point)
    print(f"{point.method}, {point.cell.num_human:g} human examples: {low:.1f} to {high:.1f} %")

# %% [markdown]
# ## Fit and draw
# A line needs three points between 2 and 98 %; where there is none, the reason is given in its place.

# %%
for line in api.fit(api.where(results, method="sft")):
    print(f"{line.what}: {line.line.b:+.1f} points a doubling" if line.line else line.line)

# %%
for path in api.draw(results, out=CELLS[0].folder.parent / "figures"):
    print(path)
