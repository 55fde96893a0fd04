"""Teacher and Student in the interface of the package `anymal-belief-state-encoder-decoder-pytorch`, for its users.

Heights are (n, feet, points) here and hidden states (n, layers, entries). What computes something else than there is
decision 30 of docs/paper.md. The weights are those of `anymal_policy.teacher` and `.student`, under `network`.
"""

from __future__ import annotations

from einops import rearrange
from torch import Tensor, nn
from torch.distributions import Categorical

from anymal_policy import student, teacher
from anymal_policy.sizes import NetworkSizes

FLAT = "n foot point -> n (foot point)"


class Teacher(nn.Module):
    """The Teacher with a value head beside its last layer; deterministic outputs, or logits of discrete actions."""

    def __init__(
        self,
        num_actions: int,
        proprio_dim: int = 133,
        extero_dim: int = 52,
        latent_extero_dim: int = 24,
        extero_encoder_hidden: tuple[int, ...] = (80, 60),
        privileged_dim: int = 50,
        latent_privileged_dim: int = 24,
        privileged_encoder_hidden: tuple[int, ...] = (64, 32),
        mlp_hidden: tuple[int, ...] = (256, 160, 128),
        num_legs: int = 4,
    ) -> None:
        """Create both encoders and both heads; `extero_dim` counts the heights around one foot."""
        super().__init__()
        self.sizes = NetworkSizes(
            proprio=proprio_dim,
            feet=num_legs,
            points=extero_dim,
            privileged=privileged_dim,
            height_hidden=extero_encoder_hidden,
            height_latent=latent_extero_dim,
            privileged_hidden=privileged_encoder_hidden,
            privileged_latent=latent_privileged_dim,
            head_hidden=mlp_hidden,
        )
        self.network = teacher.Teacher(num_actions, self.sizes)
        self.value_head = nn.Linear(mlp_hidden[-1], 1)

    def forward(
        self,
        proprio: Tensor,
        extero: Tensor,
        privileged: Tensor,
        return_value_head: bool = False,
        return_action_categorical_dist: bool = False,
    ) -> Tensor | Categorical | tuple[Tensor | Categorical, Tensor]:
        """Outputs (n, num_actions), or the Categorical whose logits they are, and if asked the value (n,)."""
        flat = rearrange(extero, FLAT, foot=self.sizes.feet, point=self.sizes.points)
        features = self.network.head[:-1](self.network.embed(proprio, flat, privileged))
        action = self.network.head[-1](features)
        action = Categorical(logits=action) if return_action_categorical_dist else action
        return (action, rearrange(self.value_head(features), "n 1 -> n")) if return_value_head else action


class Student(nn.Module):
    """The Student with heights per foot and a hidden state whose first dimension is the robot."""

    def __init__(
        self,
        num_actions: int,
        proprio_dim: int = 133,
        extero_dim: int = 52,
        latent_extero_dim: int = 24,
        extero_encoder_hidden: tuple[int, ...] = (80, 60),
        belief_state_encoder_hiddens: tuple[int, ...] = (64, 64),
        extero_gate_encoder_hiddens: tuple[int, ...] = (64, 64),
        belief_state_dim: int = 120,
        gru_num_layers: int = 2,
        gru_hidden_size: int = 50,
        mlp_hidden: tuple[int, ...] = (256, 160, 128),
        num_legs: int = 4,
        privileged_dim: int = 50,
        privileged_decoder_hiddens: tuple[int, ...] = (64, 64),
        extero_decoder_hiddens: tuple[int, ...] = (64, 64),
    ) -> None:
        """Create the networks; the belief needs more entries than the feet's latents together."""
        super().__init__()
        if belief_state_dim <= num_legs * latent_extero_dim:
            raise ValueError(f"belief_state_dim is {belief_state_dim}: take more than num_legs * latent_extero_dim.")
        self.sizes = NetworkSizes(
            proprio=proprio_dim,
            feet=num_legs,
            points=extero_dim,
            privileged=privileged_dim,
            height_hidden=extero_encoder_hidden,
            height_latent=latent_extero_dim,
            privileged_latent=belief_state_dim - num_legs * latent_extero_dim,
            head_hidden=mlp_hidden,
            memory_layers=gru_num_layers,
            memory=gru_hidden_size,
            belief_hidden=belief_state_encoder_hiddens,
            gate_hidden=extero_gate_encoder_hiddens,
            privileged_decoder_hidden=privileged_decoder_hiddens,
            height_decoder_hidden=extero_decoder_hiddens,
        )
        self.network = student.Student(num_actions=num_actions, sizes=self.sizes)

    def get_gru_hiddens(self) -> Tensor:
        """Hidden state (layers, entries) of one robot at the start of an episode."""
        return rearrange(self.network.initial_hidden(1), "layer 1 dim -> layer dim")

    def forward(
        self,
        proprio: Tensor,
        extero: Tensor,
        hiddens: Tensor | None = None,
        return_estimated_info: bool = False,
        return_action_categorical_dist: bool = False,
    ) -> tuple[Tensor | Categorical, Tensor] | tuple[Tensor | Categorical, Tensor, tuple[Tensor, Tensor]]:
        """Outputs, hidden states (n, layers, entries) and if asked the reconstructed privileged state and heights."""
        flat = rearrange(extero, FLAT, foot=self.sizes.feet, point=self.sizes.points)
        fresh = self.network.initial_hidden(len(proprio))
        hidden = fresh if hiddens is None else rearrange(hiddens, "n layer dim -> layer n dim").contiguous()
        output = self.network(proprio, flat, hidden)
        action = Categorical(logits=output.action) if return_action_categorical_dist else output.action
        hiddens = rearrange(output.hidden, "layer n dim -> n layer dim")
        if not return_estimated_info:
            return action, hiddens
        heights = rearrange(output.heights, "n (foot point) -> n foot point", foot=self.sizes.feet)
        return action, hiddens, (output.privileged, heights)
