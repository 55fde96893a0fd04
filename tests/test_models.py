"""The Teacher as rsl_rl's actor and critic, and the PPO around them."""

from __future__ import annotations

import math

import pytest
import torch
from fake_env import FakeConfig, FakeEnv

from agents.config import TeacherConfig
from agents.models import NORMALIZED, TeacherModel
from agents.ppo import TeacherPPO
from agents.rsl_rl_config import teacher_config

CFG = TeacherConfig(num_steps_per_env=4, num_learning_epochs=1, num_mini_batches=1, init_std=0.4)


def build(cfg: TeacherConfig = CFG, precision: str = "fp32", num_envs: int = 8) -> tuple[TeacherPPO, FakeEnv]:
    torch.manual_seed(0)
    env = FakeEnv(FakeConfig(num_envs=num_envs))
    alg = TeacherPPO.construct_algorithm(
        env.get_observations(), env, teacher_config(cfg, precision) | {"multi_gpu": None}, "cpu"
    )
    assert isinstance(alg, TeacherPPO)
    return alg, env


def rollout(alg: TeacherPPO, env: FakeEnv, steps: int = CFG.num_steps_per_env) -> None:
    obs = env.get_observations()
    with torch.inference_mode():
        for _ in range(steps):
            obs, reward, done, extras = env.step(alg.act(obs))
            alg.process_env_step(obs, reward, done, extras)
        alg.compute_returns(obs)


def test_actor_starts_near_the_gait_prior_and_critic_does_not() -> None:
    alg, env = build()
    obs = env.get_observations()
    assert alg.actor(obs).abs().max() < 0.02
    assert alg.critic(obs).abs().max() > 0.02
    assert alg.critic(obs).shape == (8, 1)


def test_actions_scatter_by_the_initial_deviation_of_each_action() -> None:
    alg, env = build(num_envs=4096)
    obs = env.get_observations()
    scatter = (alg.actor(obs, stochastic_output=True) - alg.actor(obs)).std(dim=0)
    torch.testing.assert_close(scatter, torch.full((16,), 0.4), atol=0.03, rtol=0)
    assert sum(p.requires_grad for p in alg.actor.distribution.parameters()) == 1  # type: ignore


def test_network_sees_the_groups_in_the_order_proprio_extero_privileged() -> None:
    alg, env = build()
    actor, obs = alg.actor, env.get_observations()
    assert isinstance(actor, TeacherModel)
    normalized = actor.obs_normalizer(torch.cat([obs["proprio"], obs["extero"], obs["privileged"]], dim=-1))
    teacher = actor.mlp.teacher  # type: ignore
    expected = teacher(normalized[:, :133], normalized[:, 133:341], normalized[:, 341:])
    torch.testing.assert_close(actor(obs), expected)


def test_critic_is_a_head_on_the_actors_encoders_and_owns_no_weight_of_it() -> None:
    alg, env = build()
    assert not {id(p) for p in alg.actor.parameters()} & {id(p) for p in alg.critic.parameters()}
    obs = env.get_observations()
    teacher, normalized = alg.actor.mlp.teacher, alg.actor.normalized(obs)  # type: ignore
    features = teacher.embed(*(normalized[name] for name in NORMALIZED.values()))
    torch.testing.assert_close(alg.critic(obs), alg.critic.mlp.head(features))  # type: ignore
    alg.critic(obs).sum().backward()
    assert teacher.height_encoder.foot[0].weight.grad.abs().max() > 0


def test_a_head_read_in_two_parts_has_the_gradients_of_the_whole() -> None:
    alg, env = build()
    obs = env.get_observations()
    teacher, gradients = alg.actor.mlp.teacher, []  # type: ignore
    normalized = [alg.actor.normalized(obs)[name] for name in NORMALIZED.values()]  # type: ignore
    for output in (alg.actor(obs), teacher(*normalized)):
        gradients.append(torch.autograd.grad(output.square().sum(), list(teacher.parameters())))
    torch.testing.assert_close(*gradients)


def test_latents_are_computed_once_for_actor_and_critic() -> None:
    alg, env = build()
    calls = []
    alg.actor.mlp.teacher.height_encoder.register_forward_hook(lambda *_: calls.append(1))  # type: ignore
    rollout(alg, env)
    assert len(calls) == CFG.num_steps_per_env + 1  # one more for the value of the last state
    alg.update()
    assert len(calls) == CFG.num_steps_per_env + 1 + 1 + 1  # a mini-batch, the policy's change


def test_normaliser_counts_every_sample_once_and_after_the_update() -> None:
    alg, env = build()
    rollout(alg, env)
    raw = alg.storage.observations["proprio"].clone()
    alg.update()
    assert alg.actor.obs_normalizer.count.item() == 8 * CFG.num_steps_per_env  # type: ignore
    torch.testing.assert_close(alg.actor.obs_normalizer.mean[:133], raw.flatten(0, 1).mean(dim=0))  # type: ignore
    assert set(alg.storage.observations.keys()) == {"proprio", "extero", "privileged"}


def test_normaliser_stops_learning_after_its_samples() -> None:
    alg, env = build(TeacherConfig(num_steps_per_env=4, num_mini_batches=1, normalizer_until=1))
    for _ in range(2):
        rollout(alg, env)
        alg.update()
    assert alg.actor.obs_normalizer.count.item() == 32  # type: ignore


def test_normalising_once_per_rollout_changes_no_output() -> None:
    alg, env = build()
    rollout(alg, env)
    alg.update()
    obs = env.get_observations()
    assert torch.equal(alg.actor(alg.network_inputs(obs)), alg.actor(obs))
    assert torch.equal(alg.critic(alg.network_inputs(obs)), alg.critic(obs))


def test_learning_rate_decays_with_samples_not_iterations() -> None:
    cfg = TeacherConfig(num_steps_per_env=4, num_mini_batches=1, lr_decay=0.5, learning_rate=1e-3, desired_kl=math.inf)
    alg, env = build(cfg)
    alg.samples = 500_000 - 32
    rollout(alg, env)
    alg.update()
    assert math.isclose(alg.optimizer.param_groups[0]["lr"], 2.5e-4, rel_tol=1e-9)


def test_policys_weights_are_their_running_mean() -> None:
    alg, env = build(TeacherConfig(num_steps_per_env=4, num_mini_batches=1, averaging=10 * 32))
    after = []
    for _ in range(12):
        rollout(alg, env)
        alg.update()
        after.append(alg.actor.mlp.teacher.head[0].weight.clone())
    mean = after[0]
    for iteration, weight in enumerate(after[1:], start=1):
        mean = mean + max(1 / 10, 5 / (iteration + 5)) * (weight - mean)
    torch.testing.assert_close(alg.averaged.module["actor"].teacher.head[0].weight, mean)


def test_entropy_bonus_decays_with_samples() -> None:
    alg, env = build(TeacherConfig(num_steps_per_env=4, num_mini_batches=1, entropy=0.01, entropy_decay=0.5))
    alg.samples = 500_000
    rollout(alg, env)
    alg.update()
    assert math.isclose(alg.entropy_coef, 0.0025, rel_tol=1e-9)


def test_learning_rate_follows_the_policys_change_below_its_schedule() -> None:
    alg, env = build(TeacherConfig(num_steps_per_env=4, num_mini_batches=1, lr_decay=1.0, learning_rate=1e-3))
    rates = []
    for change in (0.03, 0.03, 0.015, 0.005, 0.005, 0.005):
        alg._policy_change = lambda _, change=change: change
        rollout(alg, env)
        alg.update()
        rates.append(alg.optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([1e-3 / 1.2, 1e-3 / 1.44, 1e-3 / 1.44, 1e-3 / 1.2, 1e-3, 1e-3])


@pytest.mark.parametrize("symmetry", [False, True])
def test_bf16_update_is_the_fp32_update_up_to_rounding(symmetry: bool) -> None:
    cfg = TeacherConfig(num_steps_per_env=4, num_learning_epochs=1, num_mini_batches=1, symmetry=symmetry)
    weights = []
    for precision in ("fp32", "bf16"):
        alg, env = build(cfg, precision)
        before = torch.cat([p.detach().flatten().clone() for p in alg.actor.parameters()])
        rollout(alg, env)
        alg.update()
        weights.append(torch.cat([p.detach().flatten() for p in alg.actor.parameters()]) - before)
    assert not torch.equal(*weights)
    assert torch.nn.functional.cosine_similarity(*weights, dim=0) > 0.9


def test_diverged_update_is_reported_not_saved() -> None:
    alg, env = build()
    rollout(alg, env)
    alg.storage.returns[:] = math.inf
    with pytest.raises(FloatingPointError, match="learning rate"):
        alg.update()


def test_policy_change_is_the_gaussians_kl_divergence() -> None:
    alg, env = build()
    alg.optimizer.param_groups[0]["lr"] = 0.0
    rollout(alg, env)
    assert abs(alg.update()["kl"]) < 1e-6
    old_mean, old_std = (parameters[-1] for parameters in alg.storage.distribution_params or ())
    with torch.no_grad():
        alg.actor.distribution.log_std_param += math.log(2)  # type: ignore
        obs = alg.storage.observations[-1]
        mean = alg.actor(obs)
    expected = (math.log(2) + (1 + ((mean - old_mean) / old_std).square()) / 8 - 0.5).sum(dim=-1).mean()
    assert math.isclose(alg._policy_change(obs), expected.item(), rel_tol=1e-4)


def test_explained_variance_is_one_for_a_perfect_critic_and_zero_for_a_constant() -> None:
    alg, _ = build()
    alg.storage.returns.normal_()
    alg.storage.values.copy_(alg.storage.returns)
    assert math.isclose(alg._explained_variance(), 1.0, abs_tol=1e-6)
    alg.storage.values.fill_(3.0)
    assert math.isclose(alg._explained_variance(), 0.0, abs_tol=1e-6)
