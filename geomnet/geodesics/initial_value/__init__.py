"""Geodesics from initial values: rays, the linearised flow along them, conjugate points."""
