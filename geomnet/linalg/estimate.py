"""A number that knows how well it is known."""

from __future__ import annotations

__all__ = ["Estimate"]


class Estimate(float):
    """A number with the standard error of its estimate; zero where it is exact."""

    standard_error: float
    method: str

    def __new__(cls, value: float, standard_error: float = 0.0, method: str = "exact") -> Estimate:
        """Make a float that remembers its error."""
        found = super().__new__(cls, value)
        found.standard_error, found.method = standard_error, method
        return found

    def __repr__(self) -> str:
        if not self.standard_error:
            return float.__repr__(self)
        return f"{float(self):.8g} ± {self.standard_error:.2g}"

    def __reduce__(self) -> tuple[type[Estimate], tuple[float, float, str]]:
        """Copies and pickles keep the error."""
        return Estimate, (float(self), self.standard_error, self.method)
