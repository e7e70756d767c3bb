"""The robustness radius of labelled points, as exact rational brackets.

The radius is the smallest l_inf perturbation that makes the label lose (a tie counts as lost).
The upper end always has a witness that was evaluated exactly; the lower end is proved.
"""

from relucert.radius.bracketing import robustness_radius
from relucert.radius.points import Done, RadiusOptions, bracket_points
from relucert.radius.together import Start, starts_together
from relucert.radius_bracket import RadiusBracket

__all__ = [
    "Done",
    "RadiusBracket",
    "RadiusOptions",
    "Start",
    "bracket_points",
    "robustness_radius",
    "starts_together",
]
