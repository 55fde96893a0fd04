"""What a heightfield geom that is ours says of itself in its user values, where the collider finds it at once."""

from __future__ import annotations

MARK = 20220119.0
"""The first user value of a geom that is ours."""
MARKED, NUMERIC, THICKNESS, FLOOR = range(4)
"""Places of the mark, of 1 + the number of the numeric with the risers (0: none), of the thickness in m of treads that
overhang (0: none), and of how many of the numeric's numbers are before the lower ground under them."""
REACH, BOUNDS, DENSITY_X, DENSITY_Y, MIDDLE_X, MIDDLE_Y, LAST_X, LAST_Y, RISE = range(4, 13)
"""Places of how far in m a sphere may reach for the bounds on the heights to hold (negative: there are none), of how
many numbers of all numerics' data, taken as float32, are before them, of blocks per m, the geom's centre in blocks, the
last block, and m per unit of height."""
COUNT = 13
"""User values of a geom that is ours."""
BLOCK = 4
"""Samples along x and y that share one bound on the heights around them."""
