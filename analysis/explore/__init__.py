"""A page to explore studies: from a point to its cells, from two cells to the problems that flipped between them.

    study = open_study([Path("multirun_outputs/quickstart")], marks=equation_parts)   # analysis.explore.opened
    serve(study, port=8765)                                                           # analysis.explore.server
    write_static(study, out=Path("public"))                                           # analysis.explore.static

The page is plain HTML, CSS and JS modules (`assets/`) and a number of DOCUMENTS, each named and made by one function
(`documents`). A server makes a document when it is asked for, a static folder holds them all; the page cannot tell the two
apart. All estimates and intervals in documents come from the rest of `analysis`; the page chooses, sorts and counts rows.
"""
