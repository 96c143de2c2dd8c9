"""Numbers in the pages for people come from committed studies: `python -m analysis.docs` fills them in.

python -m analysis.docs            # rewrites the generated blocks of README.md and docs/*.md, their figures, claims and fits
python -m analysis.docs --check    # writes nothing; status 1 where a page and the records differ
"""
