"""From a plan to records: how stages run, on what, and what a finished cell leaves."""
