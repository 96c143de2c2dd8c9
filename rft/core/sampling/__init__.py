"""Sampling back ends behind one interface, see `rft.core.sampling.base`."""
