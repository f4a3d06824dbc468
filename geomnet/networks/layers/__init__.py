"""Layers: activations, and the factors that the rows of a Jacobian have."""
