"""The pure layer: strings and lists in, values out; no torch, no disk layout, no configuration object.

>>> from rft.text import answers, equations
>>> answers.extract("gsm8k", "48/2 = <<48/2=24>>24\\n#### 24")
'24'
>>> equations.equation_list("48/2 = <<48/2=24>>24\\n#### 24")
['48/2=24']
"""
