"""Studies in compact form: `writing` makes an archive, `reading` opens one, `files` reads a study whichever form it has.

The lowest step of the ladder but one: it imports `rft.records` and the standard library alone, and `analysis` reads studies
through `rft.archive.files`.
"""
