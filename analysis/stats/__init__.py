"""Estimates with their intervals, forms, components and power: numbers from arrays; of cells and studies nothing is known here."""
