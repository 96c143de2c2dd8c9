"""Estimates with their intervals, forms, components and power: numbers from arrays, with no knowledge of cells or studies."""
