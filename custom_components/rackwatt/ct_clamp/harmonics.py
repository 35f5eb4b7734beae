"""Least squares of a constant and harmonics at uneven times, in plain Python."""

from cmath import exp, pi
from math import sqrt

# Odd ones as in any supply, even ones for half-wave loads. The order of importance:
# from the end they are left out where the samples cannot tell them apart.
HARMONICS = (1, 3, 5, 7, 2, 9, 4, 11, 6)
# A pivot below this share of its diagonal means two columns say nearly the same.
_SMALLEST_PIVOT = 0.02


def pairs(unknowns: list[float]) -> list[tuple[float, float]]:
    """Return cosine and sine part of each harmonic."""
    return list(zip(unknowns[1::2], unknowns[2::2], strict=True))


class HarmonicSums:
    """Sums over the samples, from which the normal equations of any orders follow.

    A product of two harmonics is a sum of two others, so 2 K sums of powers of one
    complex oscillation replace (2 K + 1)² / 2 sums of products.
    """

    def __init__(
        self, times: list[float], values: list[float], frequency: float
    ) -> None:
        """Sum up."""
        self.count = len(times)
        self.times_squared = sum(time * time for time in times)
        self.values_squared = sum(value * value for value in values)
        turn = [exp(2j * pi * frequency * time) for time in times]
        highest = max(HARMONICS)
        self.powers: list[complex] = [complex(self.count)]
        self.projections: list[complex] = [complex(sum(values))]
        self.timed: list[complex] = [complex(sum(times))]
        power = turn
        for order in range(1, 2 * highest + 1):
            if order > 1:
                power = [a * b for a, b in zip(power, turn, strict=True)]
            self.powers.append(sum(power))
            if order <= highest:
                self.projections.append(
                    sum(a * b for a, b in zip(power, values, strict=True))
                )
            if order <= highest + 1:
                self.timed.append(sum(a * b for a, b in zip(power, times, strict=True)))
        self.timed_projection: complex = sum(
            z * t * v for z, t, v in zip(turn, times, values, strict=True)
        )

    def solve(self, orders: list[int]) -> list[float] | None:
        """Return mean, cosine and sine parts; None if the samples cannot tell."""
        return solve(self._matrix(orders), self._right_side(orders))

    def left_over(self, orders: list[int], unknowns: list[float]) -> float:
        """Return the sum of squares that the fit leaves."""
        explained = sum(
            a * b for a, b in zip(unknowns, self._right_side(orders), strict=True)
        )
        return max(0.0, self.values_squared - explained)

    def frequency_step(
        self,
        orders: list[int],
        unknowns: list[float],
        first: tuple[float, float],
        variance: float,
    ) -> tuple[float, float]:
        """Return by how much to change the frequency (one Gauss-Newton step), its variance.

        A fundamental a cos + b sin whose frequency is off leaves 2 pi t (b cos - a sin)
        per Hz; how much of that is in the rest tells by how much.
        """
        a, b = first
        slope_squared = (2 * pi) ** 2 * (a * a + b * b) / 2 * self.times_squared
        if slope_squared <= 0:
            return 0.0, float("inf")
        found = self._slope(self.timed_projection, a, b)
        found -= unknowns[0] * self._slope(self.timed[1], a, b)
        for order, (c, d) in zip(orders, pairs(unknowns), strict=True):
            plus, minus = self.timed[order + 1], self.timed[order - 1]
            # sums of t e^i1 cos(order) and t e^i1 sin(order)
            cosine = (plus + minus.conjugate()) / 2
            sine = (plus - minus.conjugate()) / 2j
            found -= c * self._slope(cosine, a, b) + d * self._slope(sine, a, b)
        return found / slope_squared, variance / slope_squared

    @staticmethod
    def _slope(timed: complex, a: float, b: float) -> float:
        """Return the product with the slope of the fundamental."""
        return 2 * pi * (b * timed.real - a * timed.imag)

    def _matrix(self, orders: list[int]) -> list[list[float]]:
        """Return the normal equations."""
        top = [float(self.count)]
        for order in orders:
            top += [self.powers[order].real, self.powers[order].imag]
        rows = [top]
        for row, order in enumerate(orders):
            cosine, sine = [top[2 * row + 1]], [top[2 * row + 2]]
            for other in orders:
                plus = self.powers[order + other]
                minus = self.powers[abs(order - other)]
                sign = 1 if order >= other else -1
                cosine += [
                    (minus.real + plus.real) / 2,
                    (plus.imag - sign * minus.imag) / 2,
                ]
                sine += [
                    (plus.imag + sign * minus.imag) / 2,
                    (minus.real - plus.real) / 2,
                ]
            rows += [cosine, sine]
        return rows

    def _right_side(self, orders: list[int]) -> list[float]:
        """Return the products of the columns with the values."""
        right = [self.projections[0].real]
        for order in orders:
            right += [self.projections[order].real, self.projections[order].imag]
        return right


def _dot(first: list[float], second: list[float]) -> float:
    """Return the product of two rows as far as both go."""
    return sum(a * b for a, b in zip(first, second, strict=False))


def solve(matrix: list[list[float]], right: list[float]) -> list[float] | None:
    """Solve a symmetric positive definite system by Cholesky; None if nearly singular."""
    size = len(right)
    factor: list[list[float]] = []
    for row in range(size):
        line: list[float] = []
        for column in range(row):
            other = factor[column]
            dot = _dot(line, other)
            line.append((matrix[row][column] - dot) / other[column])
        pivot = matrix[row][row] - _dot(line, line)
        if pivot <= _SMALLEST_PIVOT * matrix[row][row]:
            return None
        line.append(sqrt(pivot))
        factor.append(line)
    forward: list[float] = []
    for row in range(size):
        dot = _dot(factor[row], forward)
        forward.append((right[row] - dot) / factor[row][row])
    result = [0.0] * size
    for row in reversed(range(size)):
        dot = sum(factor[below][row] * result[below] for below in range(row + 1, size))
        result[row] = (forward[row] - dot) / factor[row][row]
    return result
