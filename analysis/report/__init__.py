"""The HTML report: one self-contained file that opens from disk without a network.

from analysis.report.page import Material, write_report

`page` fills `template.html` (with `style.css` and `script.js`) with what `sections`, `plan` and `solutions` make of a study.
Every text goes through `markup.escape` or, for sampled solutions, through JSON and `textContent`; the file's
content-security policy lets nothing run but its own script and loads nothing from anywhere.
"""
