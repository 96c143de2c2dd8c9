"""The paper's claims as named tests, committed before a study is run: `run` holds the list, `rulings` how a test ends."""
