"""train.py from the first step to the Student: one stage, all of them, interrupted in any."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fake_run import training_hash
from refusals import refusal
from tiny_runs import ALL_STAGES

import train
from agents import archive
from agents.checkpoint import load_policy, read_policy, read_resume
from agents.config import PRESETS, RefinementConfig, TeacherConfig, differences, restore
from agents.runner import TeacherRunner
from envs.anymal import AnymalEnv
from envs.config import EnvConfig, TerrainConfig
from envs.curriculum import curriculum_factor
from envs.latency import LatencyConfig
from training.environments import recorded_env, student_env
from training.plan import following
from training.stage import stage_dir


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of all stages."""
    path = tmp_path_factory.mktemp("runs") / "whole"
    assert train.main([*ALL_STAGES, "--run-dir", str(path)]) == 0
    return path


def test_without_stage_a_teacher_is_trained_refined_and_distilled(whole: Path) -> None:
    teacher, student = read_policy(whole / "refine"), read_policy(whole / "student")
    assert (teacher["kind"], student["kind"]) == ("teacher", "student")
    assert teacher["iteration"] == student["iteration"] == read_policy(whole / "walk")["iteration"] == 2
    assert student["teacher_hash"] == teacher["hash"]
    assert load_policy(whole).meta["hash"] == student["hash"]
    assert (whole / "student" / "curves.csv").is_file()


def test_refinement_goes_on_from_the_first_stage_with_its_own_settings(whole: Path) -> None:
    walk, teacher, plan = read_policy(whole / "walk"), read_policy(whole / "refine"), RefinementConfig()
    assert (walk["env"]["num_envs"], teacher["env"]["num_envs"]) == (4, 8)
    changed = {*differences(restore(EnvConfig(), walk["env"]), restore(EnvConfig(), teacher["env"]))}
    assert changed == {"num_envs", "linear_variance", "curriculum.initial_factor", "latency.action"}
    before, after = restore(TeacherConfig(), walk["agent"]), restore(TeacherConfig(), teacher["agent"])
    assert set(differences(before, after)) == {"desired_kl", "entropy"}
    assert (after.desired_kl, after.entropy) == (plan.desired_kl, plan.entropy)
    assert teacher["env"]["linear_variance"] == plan.linear_variance
    reached = curriculum_factor(2 * 4 * 4, recorded_env(walk, "anymal_flat").curriculum)
    assert teacher["env"]["curriculum"]["initial_factor"] == reached


def test_refinement_begins_with_the_networks_of_the_first_stage(whole: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(whole / "walk", copy / "walk")
    shutil.copy(whole / "plan.pt", copy)
    after = following(train.parse(["--resume", str(copy)]))
    assert after is not None and after.now == "refine"
    walked, begun = read_policy(whole / "walk")["network"], train.build(after).policy_record()["network"]
    assert all(torch.equal(begun[name], value) for name, value in walked.items())
    assert following(replace(after, now="student")) is None and following(replace(after, stage="teacher")) is None


def test_teacher_that_starts_from_another_is_refined_by_default(whole: Path) -> None:
    args, plan = train.parse(["--stage", "teacher", "--init-from", str(whole)]), RefinementConfig()
    assert (args.now, args.env.num_envs) == ("teacher", plan.robots * PRESETS["laptop"].num_envs)
    assert args.agent == plan.refined(PRESETS["laptop"].agent) and args.env.linear_variance == plan.linear_variance
    paper = train.parse(["--preset", "full", "--stage", "teacher", "--init-from", str(whole)])
    assert paper.agent == PRESETS["full"].agent and paper.env.num_envs == PRESETS["full"].num_envs


def test_refinement_can_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "run"
    args = train.parse([*ALL_STAGES, "--refinement.max-iterations", "0", "--run-dir", str(path)])
    assert args.now == "walk" and stage_dir(args) == path / "walk"


def test_without_refinement_the_student_has_the_teacher_that_walks(whole: Path) -> None:
    walked = replace(train.parse(["--resume", str(whole)]), now="walk")
    after = following(replace(walked, refinement=replace(walked.refinement, max_iterations=0)))
    assert after is not None and (after.now, after.env.num_envs) == ("student", 8)


def test_a_run_of_an_older_version_whose_refinement_has_another_name_goes_on(whole: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    shutil.copytree(whole, old)
    shutil.rmtree(old / "student")
    (old / "refine").rename(old / "teacher")
    assert read_policy(old)["hash"] == read_policy(whole / "refine")["hash"]
    assert train.main(["--resume", str(old)]) == 0
    assert training_hash(old / "student") == training_hash(whole / "student") and not (old / "refine").exists()


def test_a_blind_student_of_the_same_teacher_follows_also_after_the_run_has_ended(whole: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(whole, copy)
    assert train.main(["--resume", str(copy), "--blind"]) == 0
    student, blind = read_policy(copy / "student"), read_policy(copy / "blind")
    assert (blind["student"]["extero"], student["student"]["extero"]) == (False, True)
    assert list(differences(restore(EnvConfig(), student["env"]), restore(EnvConfig(), blind["env"]))) == []
    assert blind["teacher_hash"] == student["teacher_hash"] and blind["iteration"] == student["iteration"]
    assert read_policy(copy)["hash"] == student["hash"] and read_resume(copy)["stage"] == "student"
    resumed = train.parse(["--resume", str(copy)])
    assert (resumed.now, resumed.blind) == ("blind", True) and following(resumed) is None
    at_once = tmp_path / "at_once"
    assert train.main([*ALL_STAGES, "--blind", "--run-dir", str(at_once)]) == 0
    assert training_hash(at_once / "blind") == training_hash(copy / "blind")


def test_blind_is_not_for_one_stage(capsys: pytest.CaptureFixture[str]) -> None:
    said = refusal(capsys, "--stage", "teacher", "--blind")
    assert "--blind is for a run of all stages" in said and "--student.network.no-extero" in said


def test_refined_teachers_act_late_and_students_feel_late_too(whole: Path) -> None:
    walk, teacher, student = (read_policy(whole / stage) for stage in ("walk", "refine", "student"))
    assert recorded_env(walk, "anymal_flat").latency == LatencyConfig()
    assert recorded_env(teacher, "anymal_flat").latency == LatencyConfig(action=(0.0, 0.02))
    assert recorded_env(student, "anymal_flat").latency == LatencyConfig((0.0, 0.02), (0.0, 0.02))
    own = replace(recorded_env(teacher, "anymal_flat"), latency=LatencyConfig(action=(0.0, 0.01)))
    assert student_env(own, teacher, PRESETS["smoke"]).latency == LatencyConfig((0.0, 0.01), (0.0, 0.02))
    args = train.parse(["--stage", "student", "--teacher", str(whole), "--env.latency.action", "0", "0"])
    assert args.env.latency == LatencyConfig((0.0, 0.0), (0.0, 0.02))


def test_a_teacher_that_has_not_learnt_caution_shows_it_to_nobody(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = read_policy(whole / "refine")
    del old["env"]["caution_probability"], old["network"]["caution"]
    archive.write(tmp_path / "old.pt", {name: value for name, value in old.items() if name != "hash"})
    distil = ["--stage", "student", "--teacher", str(tmp_path / "old.pt")]
    assert train.parse(distil).env.caution_probability == 0.0
    assert "--env.caution-probability at 0" in refusal(capsys, *distil, "--env.caution-probability", "0.2")


def test_a_student_from_before_there_were_delays_goes_on_without(whole: Path) -> None:
    record = read_policy(whole / "student")
    del record["env"]["latency"]
    assert recorded_env(record, "anymal_flat").latency == LatencyConfig()


def test_student_sees_noise_on_easy_ground_and_c_k_goes_on(whole: Path) -> None:
    teacher, student = read_policy(whole / "refine"), read_policy(whole / "student")
    env, size = student["env"], PRESETS["laptop"]
    assert env["noisy_groups"] and not teacher["env"]["noisy_groups"]
    assert env["curriculum"]["flat_steps"] == size.flat_steps and not teacher["env"]["curriculum"]["flat_steps"]
    assert (env["height_noise"]["start_steps"], env["height_noise"]["full_steps"]) == size.noise_steps
    cfg = recorded_env(teacher, "anymal_flat").curriculum
    assert env["curriculum"]["initial_factor"] == curriculum_factor(2 * 8 * 4, cfg) > cfg.initial_factor
    assert (env["num_envs"], student["seed"]) == (4, 7)


@pytest.mark.parametrize("stage", ["walk", "refine"])
def test_run_of_all_stages_is_resumable_in_any(whole: Path, tmp_path: Path, stage: str) -> None:
    copy = tmp_path / "copy"
    (copy / stage).mkdir(parents=True)
    shutil.copy(whole / "plan.pt", copy)
    for name in ("resume.pt", "policy.pt"):  # as if stopped after this stage
        shutil.copy(whole / stage / name, copy / stage)
    assert train.main(["--resume", str(copy)]) == 0
    assert training_hash(copy / "refine") == training_hash(whole / "refine")
    assert training_hash(copy / "student") == training_hash(whole / "student")
    assert train.main(["--resume", str(copy), "--max-iterations", "3"]) == 0
    assert read_resume(copy)["iteration"] == 3 and read_resume(copy / "refine")["iteration"] == 2


def test_stopped_stage_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    path = tmp_path / "run"
    monkeypatch.setattr(TeacherRunner, "train", lambda runner: False)
    assert train.main([*ALL_STAGES, "--run-dir", str(path)]) == 0
    assert f"--resume {path}\n" in capsys.readouterr().out
    assert not (path / "refine").exists() and not (path / "student").exists()


def test_student_stage_distils_the_named_teacher_in_its_environment(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "student"
    size = "--student.num-steps-per-env 4 --student.gradient-length 2 --num-envs 4 --threads 1"
    flags = f"{size} --student.network.no-gate".split()
    command = ["--stage", "student", "--teacher", str(whole), "--run-dir", str(path)]
    assert train.main([*command, *flags, "--max-iterations", "1"]) == 0
    record = read_policy(path)
    assert (record["task"], record["iteration"]) == ("anymal_flat", 1)
    assert not record["student"]["gate"] and record["agent"]["network"] == record["student"]
    assert record["teacher_hash"] == read_policy(whole / "refine")["hash"]
    assert train.main(["--resume", str(path), "--max-iterations", "2"]) == 0
    assert read_resume(path)["iteration"] == 2


def test_teachers_terrain_curriculum_is_handed_over(whole: Path) -> None:
    args = train.parse(["--stage", "student", "--teacher", str(whole), "--num-envs", "4", "--threads", "1"])
    learnt = read_policy(whole / "refine")["curriculum"]
    env = AnymalEnv(args.env)
    env.step(torch.zeros(4, 16))
    assert env.load_curriculum_state_dict(learnt) and env.episode_length_buf.sum() == 0
    assert all(torch.equal(value, learnt[name]) for name, value in env.curriculum_state_dict().items())
    assert not AnymalEnv(replace(args.env, terrain=TerrainConfig(types=("slope_up",)))).load_curriculum_state_dict(
        learnt
    )


def test_student_that_starts_from_another_meets_all_noise_on_that_ones_terrain(whole: Path, tmp_path: Path) -> None:
    path, before = tmp_path / "next", read_policy(whole / "student")
    flags = "--num-envs 4 --threads 1 --student.num-steps-per-env 4 --student.gradient-length 2"
    command = ["--stage", "student", "--teacher", str(whole), "--init-from", str(whole), "--run-dir", str(path)]
    args = train.parse([*command, *flags.split()])
    assert args.env.height_noise.factor == 1.0 and args.env.curriculum.flat_steps == 0
    runner = train.build(args)
    for name, value in runner.policy_record()["network"].items():
        assert torch.equal(value, before["network"][name])
    assert runner.alg.samples == 0


def test_blind_student_may_start_from_one_that_saw(whole: Path, tmp_path: Path) -> None:
    flags = "--num-envs 4 --threads 1 --student.num-steps-per-env 4 --student.gradient-length 2"
    start = ["--teacher", str(whole), "--init-from", str(whole), "--student.network.no-extero"]
    command = ["--stage", "student", *start, "--run-dir", str(tmp_path / "blind"), *flags.split()]
    runner = train.build(train.parse(command))
    record, seen = runner.policy_record(), read_policy(whole / "student")["network"]
    assert all(torch.equal(value, seen[name]) for name, value in record["network"].items())
    assert not record["student"].extero


def test_precision_is_that_of_all_stages_and_iterations_those_of_the_first() -> None:
    args = train.parse(["--precision", "fp32", "--max-iterations", "9"])
    assert (args.agent.precision, args.student.precision) == ("fp32", "fp32")
    assert (args.agent.max_iterations, args.student.max_iterations) == (9, PRESETS["laptop"].student.max_iterations)


def test_paper_preset_is_table_s2() -> None:
    full = PRESETS["full"]
    cfg = full.student
    assert full.num_envs * cfg.num_steps_per_env == 120_000
    assert (cfg.learning_rate, cfg.num_learning_epochs, cfg.gradient_length, cfg.reconstruction) == (5e-4, 2, 10, 0.5)
    assert full.flat_steps == 10 * 120_000 and full.noise_steps == (20 * 120_000, 100 * 120_000)


def test_what_cannot_be_distilled_is_refused_in_one_sentence(whole: Path, tmp_path: Path, capsys: Any) -> None:
    stage, new = ["--stage", "student"], ["--run-dir", str(tmp_path / "new")]
    assert "with --teacher" in refusal(capsys, *stage, *new)
    assert "no checkpoint" in refusal(capsys, *stage, "--teacher", "nowhere.pt", *new)
    student = str(whole / "student")
    assert "holds a student, but a teacher" in refusal(capsys, *stage, "--teacher", student, *new)
    assert "--stage student" in refusal(capsys, "--teacher", str(whole), *new)
    assert "--stage student" in refusal(capsys, "--stage", "teacher", "--teacher", str(whole), *new)
    taught = ["--teacher", str(whole), "--num-envs", "4", "--threads", "1"]
    gateless = ["--init-from", student, "--student.network.no-gate"]
    assert "another variant" in refusal(capsys, *stage, *taught, *gateless, *new)
    teacher = str(whole / "refine")
    assert "holds a teacher, but a student" in refusal(capsys, *stage, *taught, "--init-from", teacher, *new)
    assert "holds a student, but a teacher" in refusal(capsys, "--stage", "teacher", "--init-from", student, *new)
    assert "say with --stage which" in refusal(capsys, "--init-from", teacher, *new)
    assert "does not use --agent.gamma, --refinement.robots" in refusal(
        capsys, *stage, "--teacher", teacher, "--agent.gamma", "0.9", "--refinement.robots", "2", *new
    )
    assert "does not use --student.std" in refusal(capsys, "--stage", "teacher", "--student.std", "0.9", *new)
    crowd = ["--num-envs", "1", "--threads", "1"]
    assert "raise --num-envs" in refusal(capsys, *stage, "--teacher", str(whole), *crowd, *new)
    assert "already holds a run" in refusal(capsys, *ALL_STAGES, "--run-dir", str(whole))
    assert "--student.std" in refusal(capsys, "--resume", str(whole), "--student.std", "0.3")
    assert "--agent.gamma" in refusal(capsys, "--resume", str(whole), "--agent.gamma", "0.9")


@pytest.mark.parametrize(
    "flag", ["num-steps-per-env 15", "gradient-length 0", "std -1", "lr-decay 2", "network.memory x"]
)
def test_bad_settings_end_with_exit_code_two(flag: str) -> None:
    with pytest.raises(SystemExit) as exit_code:
        train.main([f"--student.{flag.split()[0]}", flag.split()[1]])
    assert exit_code.value.code == 2
