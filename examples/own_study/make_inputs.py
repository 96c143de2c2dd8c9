"""Makes what you bring yourself: four small base models of three families, two files of word problems, somebody's solutions.

python examples/own_study/make_inputs.py multirun_outputs/own_inputs        # 25 s on one core

Nothing of `rft` is used here. Each model is a plain Hugging Face folder, as `save_pretrained` writes it, with the tokenizer
that the four share: byte-level BPE of 400 tokens. They have read some thousand stories with their sums, so that fine-tuning
has something to begin with. A row of `train.jsonl`, in columns of its own:

    {"uid": "train-0", "story": {"text": "Ann has 3 red pens and 4 blue pens. Ann finds 2 more.",
                                 "ask": "How many pens are there?"},
     "steps": "3+4=<<3+4=7>>7 pens\\n7+2=<<7+2=9>>9 pens", "result": 9}
"""

from __future__ import annotations

import csv
import json
import random
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import CONFIG_MAPPING, AutoModelForCausalLM, PreTrainedTokenizerFast

NAMES = ("Ann", "Ben", "Eva", "Tom", "Lea", "Max", "Ida", "Jan")
THINGS = ("pens", "cups", "hats", "nuts", "keys", "figs")
COLOURS = ("red", "blue", "green")
VOCABULARY, CONTEXT = 400, 256
BATCH, WINDOW = 8, 80  # of pretraining


@dataclass(frozen=True)
class Family:
    """A model: transformers' name of its family, its size, and how long it has read."""

    name: str
    kind: str
    width: int
    layers: int
    steps: int  # of pretraining


FAMILIES = (
    Family("tiny-gpt2", "gpt2", 24, 2, 250),
    Family("tiny-neox", "gpt_neox", 32, 2, 250),
    Family("tiny-llama", "llama", 40, 2, 300),
    Family("small-llama", "llama", 56, 2, 400),  # comes later, when the study is there
)


@dataclass(frozen=True)
class Story:
    """A word problem: numbers that are added, or taken away where they are negative, in the order told."""

    name: str
    thing: str
    numbers: tuple[int, ...]

    @property
    def text(self) -> str:
        """What is told."""
        first, second, *more = self.numbers
        told = [f"{self.name} has {first} {COLOURS[0]} {self.thing} and {second} {COLOURS[1]} {self.thing}."]
        told += [f"{self.name} {'finds' if n > 0 else 'loses'} {abs(n)}{' more' if n > 0 else ''}." for n in more]
        return " ".join(told)

    @property
    def ask(self) -> str:
        """What is asked."""
        return f"How many {self.thing} are there?"

    @property
    def result(self) -> int:
        """The answer."""
        return sum(self.numbers)

    def steps(self, order: Iterable[int]) -> str:
        """The sums in an order of the numbers, marked as GSM8K's are."""
        first, *rest = (self.numbers[place] for place in order)
        lines = []
        for number in rest:
            sum_ = f"{first}{number:+d}"
            first += number
            lines.append(f"{sum_}=<<{sum_}={first}>>{first} {self.thing}")
        return "\n".join(lines)


def stories(rng: random.Random, *, terms: int) -> Iterator[Story]:
    """Different stories without end; what is lost was there."""
    seen = set()
    while True:
        numbers = [rng.randint(1, 6) for _ in range(terms)]
        signs = [1, 1, *(rng.choice((1, -1)) for _ in range(terms - 2))]
        story = Story(rng.choice(NAMES), rng.choice(THINGS), tuple(s * n for s, n in zip(signs, numbers, strict=True)))
        if min(sum(story.numbers[:end]) for end in range(1, terms + 1)) > 0 and story not in seen:
            seen.add(story)
            yield story


def orders(story: Story, rng: random.Random) -> list[int]:
    """A random order that begins with what is there."""
    first = rng.choice((0, 1))
    rest = [place for place in range(len(story.numbers)) if place != first]
    rng.shuffle(rest)
    return [first, *rest]


def corpus(rng: random.Random, *, count: int) -> list[str]:
    """Stories with their sums in any order, without the prompt and the answer line of the study."""
    told = (story for story, _ in zip(stories(rng, terms=3), range(count), strict=False))
    return [f"{one.text} {one.ask} {one.steps(orders(one, rng))}\n" for one in told]


def make_tokenizer(texts: list[str]) -> PreTrainedTokenizerFast:
    """Byte-level BPE, trained on the texts; any text can be read."""
    backend = Tokenizer(models.BPE())
    numbers = pre_tokenizers.Digits(individual_digits=False)  # 14 is one token, wherever it stands
    backend.pre_tokenizer = pre_tokenizers.Sequence([numbers, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<end>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<end>", bos_token="<end>")


def make_model(family: Family, *, tokenizer: PreTrainedTokenizerFast) -> Any:
    """A random model of the family."""
    ids = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    if family.kind == "gpt2":
        sizes = {"n_embd": family.width, "n_layer": family.layers, "n_head": 4, "n_positions": CONTEXT}
    else:
        sizes = {
            "hidden_size": family.width, "num_hidden_layers": family.layers, "num_attention_heads": 4,
            "intermediate_size": 3 * family.width, "max_position_embeddings": CONTEXT,
        }  # fmt: skip
    if family.kind == "llama":
        sizes["num_key_value_heads"] = 4
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(
        CONFIG_MAPPING[family.kind](vocab_size=len(tokenizer), initializer_range=0.08, **ids, **sizes)
    )


def pretrain(model: Any, ids: torch.Tensor, *, steps: int) -> float:
    """Next-token prediction on random windows of a text; returns the last loss, in nats a token."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.01, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=1e-2, total_steps=steps, pct_start=0.1)
    generator = torch.Generator().manual_seed(0)
    model.train()
    for _ in range(steps):
        starts = torch.randint(len(ids) - WINDOW, (BATCH,), generator=generator)
        window = torch.stack([ids[start : start + WINDOW] for start in starts])
        loss = model(input_ids=window, labels=window).loss
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    return loss.item()


def write_models(folder: Path) -> None:
    """Every model as a folder, and its size and loss on the screen."""
    texts = corpus(random.Random(1), count=4000)
    tokenizer = make_tokenizer(texts)
    ids = torch.tensor(tokenizer("<end>".join(texts))["input_ids"])
    for family in FAMILIES:
        model = make_model(family, tokenizer=tokenizer)
        loss = pretrain(model, ids, steps=family.steps)
        model.save_pretrained(folder / family.name)
        tokenizer.save_pretrained(folder / family.name)
        size = sum(p.numel() for p in model.parameters())
        print(f"{folder / family.name}: {size:,} parameters, {loss:.2f} nats a token")


def row(story: Story, *, uid: str) -> dict[str, Any]:
    """A row of train.jsonl and test.jsonl."""
    told = {"text": story.text, "ask": story.ask}
    steps = story.steps(range(len(story.numbers)))
    return {"uid": uid, "story": told, "steps": steps, "result": story.result}


def teacher(story: Story, rng: random.Random, *, uid: str) -> dict[str, Any]:
    """A row of a foreign pool: four solutions in any order of the sums, one in four of them wrong; the question by its id."""
    solutions = []
    for _ in range(4):
        slip = rng.choice((0, 0, 0, 1))
        steps = story.steps(orders(story, rng))
        solutions.append(f"{steps}\n#### {story.result + slip}")
    return {"uid": uid, "completions": solutions}


def write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """JSON lines."""
    path.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")


def write_data(folder: Path) -> None:
    """train.jsonl and test.jsonl, longer.csv (a sum more, other columns), teacher.jsonl, and a text for the bases' loss."""
    rng = random.Random(0)
    told = stories(rng, terms=3)
    (folder / "heldout.txt").write_text("".join(corpus(random.Random(2), count=200)), encoding="utf-8")
    train, test = [next(told) for _ in range(256)], [next(told) for _ in range(200)]
    for name, split in (("train", train), ("test", test)):
        write_lines(folder / f"{name}.jsonl", (row(one, uid=f"{name}-{n}") for n, one in enumerate(split)))
    write_lines(folder / "teacher.jsonl", (teacher(one, rng, uid=f"train-{n}") for n, one in enumerate(train)))
    longer = stories(rng, terms=4)
    with (folder / "longer.csv").open("w", newline="", encoding="utf-8") as stream:
        lines = csv.writer(stream)
        lines.writerow(["problem", "answer"])
        for _ in range(200):
            one = next(longer)
            lines.writerow([f"{one.text} {one.ask}", one.result])


def main(folder: Path) -> None:
    """Data first, which take no time."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    write_data(folder)
    write_models(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
