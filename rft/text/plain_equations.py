"""Equations from plain text."""

from __future__ import annotations


def extract(text: str) -> list[str]:
    """placeholder until the extractor lands in this file"""
    raise NotImplementedError
