"""What to run next: how much further draws, replicates and problems would bring for given minutes."""
