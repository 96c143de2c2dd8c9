"""The pure layer: strings and lists in, values out; no torch, no disk layout, no configuration object.

from rft.text import answers, equations, selection
"""
