"""Drafts: a model that revises is shown, with each question, the greedy solution of an earlier evaluation."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from rft.records import Problem, Sample
from rft.text.prompts import template_named


def with_drafts(problems: Sequence[Problem], prompt: str, drafts: Sequence[Sample]) -> list[Problem]:
    """Problems as a revise template asks them, each with its greedy solution."""
    template = template_named(prompt)
    texts = {sample.id: sample.text for sample in drafts}
    return [dataclasses.replace(p, question=template.with_draft(p.question, texts[p.id])) for p in problems]
