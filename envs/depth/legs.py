"""The legs as the depth sensors see them, and as a robot that knows its joints filters them out of its pictures."""

from __future__ import annotations

import torch
from einops import rearrange, repeat
from torch import Tensor

from anymal_policy.gait import leg_chain

THIGH, SHANK = 0.065, 0.06
"""m, radii: the drives at the ends of a thigh, and the knee (URDF)."""
INWARD = 0.07
"""m by which a thigh is nearer to the middle of the robot than its foot (URDF)."""
OUTWARD = torch.tensor([1.0, -1.0, 1.0, -1.0])


def leg_capsules(joint_position: Tensor) -> Tensor:
    """Thighs and shanks of joint angles (n, 12) rad as (n, 8, 7) m in the base frame: both ends and radius of each."""
    chain = leg_chain().to(joint_position)
    haa, hfe, kfe = rearrange(joint_position, "n (leg joint) -> joint n leg", leg=4)
    first, hip, thigh, shank = chain.unbind(1)
    ends = [hip.expand(len(haa), 4, 3)]
    for link, angle in ((thigh, hfe), (shank, hfe + kfe)):
        x, y, z = link.unbind(-1)
        c, s = angle.cos(), angle.sin()
        ends.append(ends[-1] + torch.stack([c * x + s * z, y.expand_as(c), c * z - s * x], dim=-1))
    aside = torch.stack([torch.zeros(4), -INWARD * OUTWARD, torch.zeros(4)], dim=-1).to(joint_position)
    parts = [torch.stack([ends[0] + aside, ends[1] + aside]), torch.stack([ends[1], ends[2]])]
    c, s = haa.cos(), haa.sin()
    x, y, z = torch.stack(parts).unbind(-1)  # (part, end, n, leg)
    placed = torch.stack([x, c * y - s * z, s * y + c * z], dim=-1) + first
    radius = repeat(torch.tensor([THIGH, SHANK]).to(placed), "part -> n (part leg) 1", n=len(haa), leg=4)
    return torch.cat([rearrange(placed, "part end n leg xyz -> n (part leg) (end xyz)"), radius], dim=-1)
