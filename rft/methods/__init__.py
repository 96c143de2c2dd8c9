"""The methods: one file each. A file says what the method uses, plans and refuses, and holds the stages that it alone has.

A new method is a new file here (or a plug-in, rft.registry): see rft.plan.method for what it holds.
"""
