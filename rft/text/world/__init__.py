"""The embedded world: GSM8K-shaped word problems with a checker, all their solution paths, and a pretraining corpus.

    world_problems(config, split=WorldSplit.POOL, count=8192)   -> list[Problem]
    paths_of(problem).first[0].text()                       -> 'makes <<3*17=51>>51\\nleft <<51-5=46>>46\\n#### 46'
    alternative_paths(problem)                              -> solutions with other equation lists
    verdict(problem, text)                                  -> Verdict.VALID | ARITHMETIC | PLAN | LUCKY
    corpus_documents(config, seed=0)                        -> endless documents, each a list of Segment

Everything is a function of the configuration and of named seeds, the same on every machine and in every process.
"""

from rft.text.world.checker import Verdict, verdict
from rft.text.world.corpus import Segment, corpus_documents
from rft.text.world.graphs import WorldSplit
from rft.text.world.paths import Path, Paths
from rft.text.world.problems import alternative_paths, equation_key, paths_of, world_problems

__all__ = [
    "Path",
    "Paths",
    "Segment",
    "Verdict",
    "WorldSplit",
    "alternative_paths",
    "corpus_documents",
    "equation_key",
    "paths_of",
    "verdict",
    "world_problems",
]
