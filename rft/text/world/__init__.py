"""The embedded world: GSM8K-shaped word problems with a checker, all their solution paths, and a pretraining corpus.

    >>> from rft.config import WorldConfig
    >>> easy = WorldConfig(min_steps=2, max_steps=3, num_graphs=128, max_distractors=0, human_style=0.9,
    ...                    composed_frac=0.15, seed=0)
    >>> problem = world_problems(easy, split=WorldSplit.POOL, count=1)[0]
    >>> problem.question.split(". ")[1]
    'He then drove half'
    >>> problem.solution
    'makes <<8*7=56>>56\\npart <<56/2=28>>28\\npart <<28/2=14>>14\\n#### 14'
    >>> paths_of(problem).count                       # of all its solution paths
    6
    >>> alternative_paths(problem)[0]                 # a solution with another equation list
    'part <<8/2=4>>4\\nmakes <<4*7=28>>28\\npart <<28/2=14>>14\\n#### 14'
    >>> verdict(problem, "#### 14")                   # or VALID, ARITHMETIC, PLAN
    <Verdict.LUCKY: 'lucky'>
    >>> document = next(corpus_documents(easy, seed=0))     # of an endless stream; a list of Segment
    >>> document[0].text
    'Ida had 21 pens. She sold 6 boxes of 2: '

Everything is a function of the configuration and of named seeds, the same on every machine and in every process.
"""

from rft.text.world.checker import Verdict, verdict
from rft.text.world.corpus import Segment, corpus_documents, single_documents
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
    "single_documents",
    "verdict",
    "world_problems",
]
