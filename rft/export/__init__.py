"""A finished cell for others: its training set, its pools and its model, in the forms that other tools read."""
