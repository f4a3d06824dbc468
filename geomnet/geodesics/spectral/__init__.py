"""Polynomial paths: integrated Legendre functions and Newton steps on their coefficients."""
