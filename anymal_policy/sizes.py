"""Sizes of the paper's networks, for those who change them."""

from __future__ import annotations

from dataclasses import dataclass

from anymal_policy.layout import EXTERO, LEGS, PRIVILEGED, PROPRIO, size


@dataclass(frozen=True)
class NetworkSizes:
    """Widths of all layers; the defaults are those of Miki et al. S6 (decoder: decision 27)."""

    proprio: int = size(PROPRIO)
    """Entries of the proprioception."""
    feet: int = len(LEGS)
    """Feet with height samples."""
    points: int = size(EXTERO) // len(LEGS)
    """Height samples around each foot."""
    privileged: int = size(PRIVILEGED)
    """Entries of the privileged state."""
    height_hidden: tuple[int, ...] = (80, 60)
    """Hidden layers of the height encoder g_e."""
    height_latent: int = 24
    """Entries of the latent of one foot's height samples; the feet's together make up l_e."""
    privileged_hidden: tuple[int, ...] = (64, 32)
    """Hidden layers of the privileged encoder g_p."""
    privileged_latent: int = 24
    """Entries of the latent l_priv of the privileged state."""
    caution: bool = False
    """Shift l_priv where caution is asked for (decision 72)."""
    head_hidden: tuple[int, ...] = (256, 160, 128)
    """Hidden layers of the head, which acts."""
    memory_layers: int = 2
    """Stacked layers of the GRU."""
    memory: int = 50
    """Entries of the hidden state of each layer of the GRU."""
    belief_hidden: tuple[int, ...] = (64, 64)
    """Hidden layers of g_b, from memory to belief."""
    gate_hidden: tuple[int, ...] = (64, 64)
    """Hidden layers of both gates: g_a on the latent heights, and the decoder's on the raw ones."""
    privileged_decoder_hidden: tuple[int, ...] = (64, 64)
    """Hidden layers of the decoder of the privileged state."""
    height_decoder_hidden: tuple[int, ...] = (64, 64)
    """Hidden layers of the decoder of the heights."""

    @property
    def heights(self) -> int:
        """Height samples around all feet."""
        return self.feet * self.points

    @property
    def height_latents(self) -> int:
        """Entries of l_e."""
        return self.feet * self.height_latent

    @property
    def belief(self) -> int:
        """Entries of the belief, which takes the place of the Teacher's l_e and l_priv, in this order."""
        return self.height_latents + self.privileged_latent


PAPER = NetworkSizes()
"""Sizes of Miki et al. S6."""
