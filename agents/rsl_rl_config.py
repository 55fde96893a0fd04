"""The nested dictionaries that rsl_rl's runners read; classes by import path, nothing is registered."""

from __future__ import annotations

from agents.config import STUDENT_GROUPS, TEACHER_GROUPS, StudentTrainingConfig, TeacherConfig


def teacher_config(cfg: TeacherConfig, precision: str) -> dict:
    """PPO for the Teacher."""
    groups = list(TEACHER_GROUPS)
    gaussian = dict(class_name="GaussianDistribution", init_std=cfg.init_std, std_type="log")
    mirror = dict(data_augmentation_func="agents.symmetry:augment", use_data_augmentation=True)
    return dict(
        num_steps_per_env=cfg.num_steps_per_env,
        obs_groups=dict(actor=groups, critic=groups),
        actor=dict(
            class_name="agents.models:TeacherModel",
            distribution_cfg=gaussian,
            head_scale=cfg.head_scale,
            normalizer_until=cfg.normalizer_until,
        ),
        critic=dict(class_name="agents.models:CriticModel"),
        algorithm=dict(
            class_name="agents.ppo:TeacherPPO",
            num_learning_epochs=cfg.num_learning_epochs,
            num_mini_batches=cfg.num_mini_batches,
            learning_rate=cfg.learning_rate,
            lr_decay=cfg.lr_decay,
            desired_kl=cfg.desired_kl,
            entropy_decay=cfg.entropy_decay,
            averaging=cfg.averaging,
            schedule="fixed",
            gamma=cfg.gamma,
            lam=cfg.lam,
            clip_param=cfg.clip,
            entropy_coef=cfg.entropy,
            max_grad_norm=cfg.max_grad_norm,
            use_mixed_precision=precision == "bf16",
            symmetry_cfg=mirror if cfg.symmetry else None,
        ),
        check_for_nan=True,
        torch_compile_mode=None,
    )


def student_config(cfg: StudentTrainingConfig, precision: str) -> dict:
    """Distillation of the Teacher into the Student."""
    return dict(
        num_steps_per_env=cfg.num_steps_per_env,
        obs_groups=dict(student=list(STUDENT_GROUPS), teacher=list(TEACHER_GROUPS)),
        student=dict(network=cfg.network, std=cfg.std),
        teacher=dict(uphill=cfg.uphill),
        algorithm=dict(
            class_name="agents.distillation:BeliefDistillation",
            num_learning_epochs=cfg.num_learning_epochs,
            num_mini_batches=cfg.num_mini_batches,
            gradient_length=cfg.gradient_length,
            learning_rate=cfg.learning_rate,
            lr_decay=cfg.lr_decay,
            max_grad_norm=cfg.max_grad_norm,
            averaging=cfg.averaging,
            reconstruction=cfg.reconstruction if cfg.network.reconstruct else 0.0,
            use_mixed_precision=precision == "bf16",
        ),
        check_for_nan=True,
        torch_compile_mode=None,
    )
