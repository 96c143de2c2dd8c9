"""Choosers, one file each: how the distinct paths of a question are ranked where a budget keeps a few (rft.text.choosing).

@CHOOSERS.add("shortest")
class Shortest(ByValue):
    def values(self, asked, tools):
        return [-one.num_tokens for question in asked for one in question.candidates]
"""
