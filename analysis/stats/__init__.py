"""Estimates with their intervals, fits and comparisons: numbers from points; nothing drawn, nothing saved."""
