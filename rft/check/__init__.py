"""Claims checked again: `verify` computes what a study says once more, `explain` goes from a number back to what made it.

Stands on everything but the entry (`rft.run`) and the analysis: it grades, scores and runs stages with the functions that a
study was made with, and changes neither the study nor its store.
"""
