"""Teacher and Student under one roof: `Anymal` of the package `anymal-belief-state-encoder-decoder-pytorch`."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from anymal_policy.published import Student, Teacher
from anymal_policy.running import RunningStats


class Anymal(nn.Module):
    """Teacher and Student together; calling it gives the loss of the distillation."""

    def __init__(
        self,
        num_actions: int,
        proprio_dim: int = 133,
        extero_dim: int = 52,
        privileged_dim: int = 50,
        num_legs: int = 4,
        latent_extero_dim: int = 24,
        latent_privileged_dim: int = 24,
        teacher_extero_encoder_hidden: tuple[int, ...] = (80, 60),
        teacher_privileged_encoder_hidden: tuple[int, ...] = (64, 32),
        student_extero_gate_encoder_hiddens: tuple[int, ...] = (64, 64),
        student_belief_state_encoder_hiddens: tuple[int, ...] = (64, 64),
        student_belief_state_dim: int = 120,
        student_gru_num_layers: int = 2,
        student_gru_hidden_size: int = 50,
        student_privileged_decoder_hiddens: tuple[int, ...] = (64, 64),
        student_extero_decoder_hiddens: tuple[int, ...] = (64, 64),
        student_extero_encoder_hidden: tuple[int, ...] = (80, 60),
        mlp_hidden: tuple[int, ...] = (256, 160, 128),
        recon_loss_weight: float = 0.5,
    ) -> None:
        """Create both; `recon_loss_weight` is the weight of the reconstruction beside the imitation."""
        super().__init__()
        self.observation_shapes = proprio_dim, (num_legs, extero_dim)
        self.recon_loss_weight = recon_loss_weight
        self.student = Student(
            num_actions,
            proprio_dim,
            extero_dim,
            latent_extero_dim,
            student_extero_encoder_hidden,
            student_belief_state_encoder_hiddens,
            student_extero_gate_encoder_hiddens,
            student_belief_state_dim,
            student_gru_num_layers,
            student_gru_hidden_size,
            mlp_hidden,
            num_legs,
            privileged_dim,
            student_privileged_decoder_hiddens,
            student_extero_decoder_hiddens,
        )
        self.teacher = Teacher(
            num_actions,
            proprio_dim,
            extero_dim,
            latent_extero_dim,
            teacher_extero_encoder_hidden,
            privileged_dim,
            latent_privileged_dim,
            teacher_privileged_encoder_hidden,
            mlp_hidden,
            num_legs,
        )

    def get_observation_running_stats(self) -> tuple[RunningStats, RunningStats]:
        """New statistics for one robot's proprioception and heights."""
        proprio, extero = self.observation_shapes
        return RunningStats(proprio), RunningStats(extero)

    def init_student_with_teacher(self) -> None:
        """Copy the Teacher's height encoder and head to the Student (S3)."""
        self.student.network.imitate(self.teacher.network)

    def forward_teacher(self, *args, return_value_head: bool = False, **kwargs):
        """What the Teacher gives."""
        return self.teacher(*args, return_value_head=return_value_head, **kwargs)

    def forward_student(self, *args, **kwargs):
        """What the Student gives."""
        return self.student(*args, **kwargs)

    def forward(
        self,
        proprio: Tensor,
        extero: Tensor,
        privileged: Tensor,
        teacher_states: tuple[Tensor, Tensor] | None = None,
        hiddens: Tensor | None = None,
        noise_strength: float = 0.1,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Loss L_bc + 0.5 L_re of one step, with mean squared errors, and the hidden states (n, layers, entries).

        The Student's heights get Gaussian noise of deviation `noise_strength`; `teacher_states` are the
        proprioception and heights that the Teacher shall see instead of the Student's.
        """
        with torch.no_grad():
            label = self.teacher(*(teacher_states or (proprio, extero)), privileged)
        noise = torch.randn(extero.shape, generator=generator, device=extero.device)
        noisy = extero + noise_strength * noise
        action, following, (decoded, heights) = self.student(proprio, noisy, hiddens, return_estimated_info=True)
        reconstruction = mse_loss(decoded, privileged) + mse_loss(heights, extero)
        return mse_loss(action, label) + self.recon_loss_weight * reconstruction, following
