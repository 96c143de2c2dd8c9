"""Problems of the embedded world: drawing them, telling them in words, their split, and their paths.

    >>> from rft.config import WorldConfig
    >>> easy = WorldConfig(min_steps=2, max_steps=3, num_graphs=128, max_distractors=0, human_style=0.9,
    ...                    composed_frac=0.15, seed=0)
    >>> problem = world_problems(easy, split=WorldSplit.TEST, count=1)[0]
    >>> problem.spec
    {'graph': ['parts', 'more'], 'numbers': [35, 4, 13], 'limit': 60, 'scenario': 'saving'}
    >>> problem.question
    'Ida had 35 dollars in bills and 4 dollars in coins. Now Dan had 13 more than Ida. How many did Dan have?'

Numbers, wording and style come from separate random streams: another `human_style` changes only the solutions. The
splits are disjoint by canonical form (see `graphs.split_of`), and no split holds a canonical form twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from rft.config import WorldConfig
from rft.records import Problem
from rft.text.world.expressions import Form, canonical_text
from rft.text.world.graphs import Graph, WorldSplit, cumulative_weights, graph_templates, split_of, stable_digest
from rft.text.world.kinds import KINDS, build, draw_numbers
from rft.text.world.paths import Paths, draw_path, enumerate_paths
from rft.text.world.scenarios import DISTRACTORS, FRACTIONS, NAMES, Scenario, fitting, question_of

MAX_REPEATS = 400  # draws in a row without a new problem, after which a split counts as exhausted


@dataclass(frozen=True)
class Draft:
    """A problem before it is told in words."""

    graph: Graph
    numbers: tuple[int, ...]
    form: Form
    canonical: str


def drafts(config: WorldConfig, *, split: WorldSplit, stream: str) -> Iterator[Draft]:
    """Endless drafts of one split, graphs by their Zipf-like frequency; `stream` names the random stream."""
    graphs = graph_templates(
        min_steps=config.min_steps,
        max_steps=config.max_steps,
        num_graphs=config.num_graphs,
        limit=config.max_value,
        seed=config.seed,
    )
    weights = cumulative_weights(len(graphs))
    rng = Random(f"drafts {config.seed} {split.value} {stream}")
    while True:
        graph = rng.choices(graphs, cum_weights=weights)[0]
        numbers = draw_numbers(graph, limit=config.max_value, rng=rng)
        if numbers is None:
            continue
        form = build(graph, numbers)
        canonical = canonical_text(form)
        if split_of(canonical, seed=config.seed) is split:
            yield Draft(graph, tuple(numbers), form, canonical)


def world_problems(config: WorldConfig, *, split: WorldSplit, count: int) -> list[Problem]:
    """The first `count` problems of a split, no canonical form twice; a smaller count is a prefix of a larger one.

    Raises ValueError when the setting has too few different problems.
    """
    found: dict[str, Problem] = {}
    repeats = 0
    for draft in drafts(config, split=split, stream="problems"):
        if len(found) >= count:
            break
        if draft.canonical in found:
            repeats += 1
            if repeats > MAX_REPEATS + 20 * len(found):
                raise ValueError(
                    f"the world has only about {len(found)} different problems for {split.value}, asked for {count}:"
                    " raise num_graphs, max_steps or max_value"
                )
            continue
        found[draft.canonical] = tell(draft, config)
    return list(found.values())


def tell(draft: Draft, config: WorldConfig) -> Problem:
    """The problem in words, with a human path in the configured style. Wording depends on draft and seed alone."""
    scenario, question = tell_question(draft, config)
    digest = _digest(draft, config)
    rng = Random(f"style {digest}")
    path, wording = draw_path(draft.form, limit=config.max_value, style=config.human_style, rng=rng)
    return Problem(
        id=f"w-{digest[:12]}",
        question=question,
        solution=path.text(wording=wording),
        gold=str(path.equations[-1][3]),
        spec={
            "graph": list(draft.graph),
            "numbers": list(draft.numbers),
            "limit": config.max_value,
            "scenario": scenario.name,
        },
    )


def tell_question(draft: Draft, config: WorldConfig) -> tuple[Scenario, str]:
    """The scenario of a draft and its question."""
    rng = Random(f"words {_digest(draft, config)}")
    scenario = rng.choice(fitting(draft.graph))
    return scenario, " ".join(_sentences(draft, scenario, config.max_distractors, rng))


def _digest(draft: Draft, config: WorldConfig) -> str:
    return stable_digest(f"problem {config.seed} {draft.canonical}")


def _sentences(draft: Draft, scenario: Scenario, max_distractors: int, rng: Random) -> list[str]:
    names = Cast.drawn(scenario, rng)
    numbers = list(draft.numbers)
    told: list[str] = []
    for name in draft.graph:
        taken, numbers = numbers[: KINDS[name].numbers], numbers[KINDS[name].numbers :]
        told.append(names.phrase(scenario.phrases[name], taken))
    for phrase in rng.sample(DISTRACTORS, rng.randint(0, max_distractors)):  # none twice: nobody has two ages
        number = rng.choice([n for n in range(2, 51) if n not in draft.numbers])
        told.insert(rng.randint(1, len(told)), names.phrase(phrase, [number]))
    told.append(names.phrase(question_of(scenario, draft.graph[-1]), []))
    return told


@dataclass(frozen=True)
class Cast:
    """Who and what a question is about."""

    hero: str
    pronoun: str
    other: str
    thing: str
    container: str

    @staticmethod
    def drawn(scenario: Scenario, rng: Random) -> Cast:
        """Two people, one kind of object, one kind of container. One is a she and one a he: a pronoun means the hero."""
        hero, pronoun = rng.choice(NAMES)
        other = rng.choice([name for name, own in NAMES if own != pronoun])
        return Cast(hero, pronoun, other, rng.choice(scenario.objects), rng.choice(scenario.containers))

    def phrase(self, template: str, numbers: list[int]) -> str:
        """A phrase with its places filled."""
        first = numbers[0] if numbers else 0
        return template.format(
            *numbers,
            A=self.hero,
            P=self.pronoun,
            B=self.other,
            o=self.thing,
            g=self.container,
            times="twice" if first == 2 else f"{first} times",
            fraction=FRACTIONS.get(first, ""),
        )


def form_of(problem: Problem) -> tuple[Form, int]:
    """The computation behind a problem and the largest whole number of its world, from `spec`.

    Raises ValueError when the problem is not of the embedded world.
    """
    spec = problem.spec
    if spec is None or not {"graph", "numbers", "limit"} <= spec.keys():
        raise ValueError(
            f"problem {problem.id} has no computation graph: only the embedded world's problems have paths"
        )
    return build(spec["graph"], spec["numbers"]), spec["limit"]


def paths_of(problem: Problem, *, most: int = 64) -> Paths:
    """The problem's paths: the first `most` in canonical order, and how many there are. Raises as `form_of`."""
    form, limit = form_of(problem)
    return enumerate_paths(form, limit=limit, most=most)


def alternative_paths(problem: Problem, *, most: int = 64) -> list[str]:
    """Solutions in the canonical wording with another equation list than the human path and than each other. Raises as
    `form_of`.
    """
    human = equation_key(problem.solution)
    return [path.text() for path in paths_of(problem, most=most).first if path.key() != human]


def equation_key(solution: str) -> str:
    """The equation list of a world solution as one string: '3*17=51|51-5=46'."""
    return "|".join(part.split(">>", 1)[0].replace(" ", "") for part in solution.split("<<")[1:])
