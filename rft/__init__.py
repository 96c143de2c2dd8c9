"""Scaling-law study harness for rejection-sampling fine-tuning (RFT)."""

__version__ = "0.1.0"
