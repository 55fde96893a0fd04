"""train.py as a user meets it: flags, presets, refusals in one sentence, stop and resume from the shell."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import torch
from refusals import refusal

import train
from agents import distributed
from agents.checkpoint import load_policy, read_policy, read_resume
from agents.config import PRESETS, TeacherConfig, differences, restore
from agents.runner import TeacherRunner
from envs.config import EnvConfig
from envs.curriculum import CurriculumConfig, curriculum_factor
from envs.tasks import DEFAULT, TASKS
from system import shell
from training.cores import usable_cores
from training.stage import note_versions

SIZE = "--num-envs 4 --threads 1 --agent.num-steps-per-env 4 --agent.warm-up-steps 2"
TINY = ["--task", "anymal_flat", "--stage", "teacher", *SIZE.split()]
NO_SETTINGS = (
    "--agent.gamma 1.5",
    "--env.gait.dt 0",
    "--env.terrain.border 4",
    "--env.curriculum.particles 0",
    "--env.curriculum.band-low 0.95",
    "--env.curriculum.memory 1.5",
    "--env.commands.stand-probability 0.7",
    "--env.commands.resample-seconds 0",
    "--env.randomization.leg-mass 1.5",
    "--env.randomization.slippery-probability -0.1",
    "--env.randomization.friction 1.2 0.4",
    "--env.randomization.push-seconds 0",
    "--env.sensor-noise.drift-seconds 0",
)
"""Values with which nothing can be trained."""
NOISE_SCHEDULE = ["height_noise.start_steps", "height_noise.full_steps"]


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "first"
    assert train.main([*TINY, "--max-iterations", "2", "--seed", "7", "--run-dir", str(path)]) == 0
    return path


def test_run_directory_holds_policy_resume_and_curves(run_dir: Path) -> None:
    assert {"policy.pt", "resume.pt", "curves.csv"} <= {path.name for path in run_dir.iterdir()}
    meta = load_policy(run_dir).meta
    assert meta["task"] == "anymal_flat" and meta["seed"] == 7 and meta["samples"] == 2 * 4 * 4
    expected = replace(TASKS["anymal_flat"], num_envs=4, threads=1, seed=7)
    assert list(differences(expected, restore(EnvConfig(), meta["env"]))) == NOISE_SCHEDULE


def test_resume_goes_on_with_the_settings_of_the_run(run_dir: Path, tmp_path: Path, capsys: Any) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "resume.pt").write_bytes((run_dir / "resume.pt").read_bytes())
    assert train.main(["--resume", str(copy), "--max-iterations", "3"]) == 0
    record = read_resume(copy)
    assert record["iteration"] == 3 and record["env"]["num_envs"] == 4 and record["seed"] == 7
    assert train.main(["--resume", str(copy)]) == 0
    assert "Finished after 3 iterations" in capsys.readouterr().out


def test_init_from_starts_a_new_run_with_the_old_networks(run_dir: Path, tmp_path: Path) -> None:
    args = train.parse([*TINY, "--init-from", str(run_dir), "--run-dir", str(tmp_path / "new")])
    runner = train.build(args)
    assert runner.iteration == 0
    for name, weight in read_policy(run_dir)["network"].items():
        assert torch.equal(runner.policy_record()["network"][name], weight)


def test_init_from_goes_on_at_the_c_k_that_was_reached(run_dir: Path) -> None:
    record = read_policy(run_dir)
    reached = curriculum_factor(record["samples"], CurriculumConfig(**record["env"]["curriculum"]))
    assert reached > CurriculumConfig().initial_factor
    assert train.parse([*TINY, "--init-from", str(run_dir)]).env.curriculum.initial_factor == reached
    assert train.parse([*TINY, f"--init_from={run_dir}"]) == train.parse([*TINY, f"--init-from={run_dir}"])
    given = [*TINY, "--init-from", str(run_dir), "--env.curriculum.initial-factor", "0.6"]
    assert train.parse(given).env.curriculum.initial_factor == 0.6


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_set_robots_and_training(preset: str) -> None:
    args = train.parse(["--preset", preset, "--task", "anymal_flat"])
    size, noise = PRESETS[preset], args.env.height_noise
    threads = max(1, usable_cores() // args.processes)
    expected = replace(TASKS["anymal_flat"], num_envs=size.num_envs, threads=threads, height_noise=noise)
    assert args.env == expected and (noise.start_steps, noise.full_steps) == size.noise_steps
    assert (args.agent, args.student) == (size.agent, size.student)


def test_every_task_and_preset_can_be_named() -> None:
    assert get_args(get_type_hints(train.Args)["preset"]) == tuple(PRESETS)
    assert all(train.parse(["--task", task]).env.rewards == TASKS[task].rewards for task in TASKS)
    assert train.Args.task == DEFAULT


def test_laptop_on_rough_terrain_is_the_default() -> None:
    args = train.parse([])
    assert (args.task, args.preset, args.stage, args.env.num_envs) == ("anymal_rough", "laptop", None, 1024)


def test_full_preset_is_the_papers_table() -> None:
    full = PRESETS["full"]
    assert full.num_envs * full.agent.num_steps_per_env == 250_000
    assert 8_300 <= 250_000 / full.agent.num_mini_batches < 8_400
    assert (full.agent.learning_rate, full.agent.lr_decay, full.agent.gamma) == (5e-4, 0.9999, 0.996)
    assert (full.agent.num_learning_epochs, full.agent.lam, full.agent.clip, full.agent.entropy) == (
        2,
        0.95,
        0.2,
        0.005,
    )


def test_flags_reach_nested_settings_and_shortcuts_their_target() -> None:
    nested = "--agent.learning-rate 1e-4 --env.terrain.tile-size 9 --env.curriculum.initial-factor 0.5 --agent.symmetry"
    short = "--num-envs 10 --seed 3 --threads 1 --max-iterations 5 --precision fp32"
    args = train.parse(["--preset", "smoke", *nested.split(), *short.split()])
    assert args.agent.learning_rate == 1e-4 and args.agent.symmetry
    assert args.env.terrain.tile_size == 9 and args.env.curriculum.initial_factor == 0.5
    assert (args.env.num_envs, args.env.seed, args.env.threads) == (10, 3, 1)
    assert (args.agent.max_iterations, args.agent.precision, args.agent.num_steps_per_env) == (5, "fp32", 24)


@pytest.mark.parametrize("argv", ["--preset huge", "--stage x", "--num-envs many", "--no-such-flag", *NO_SETTINGS])
def test_bad_flags_end_with_exit_code_two(argv: str) -> None:
    with pytest.raises(SystemExit) as exit_code:
        train.main(argv.split())
    assert exit_code.value.code == 2


def test_impossible_requests_are_refused_in_one_sentence(run_dir: Path, tmp_path: Path, capsys: Any) -> None:
    new = ["--run-dir", str(tmp_path / "new")]
    assert "choose one of anymal_flat, anymal_rough" in refusal(capsys, "--task", "nowhere", *new)
    assert "at least one robot" in refusal(capsys, "--num-envs", "0", *new)
    assert "thread" in refusal(capsys, "--threads", "-1", *new)
    assert "seed" in refusal(capsys, "--seed", "-1", *new)
    assert "mini-batches" in refusal(capsys, "--num-envs", "3", *new)
    assert "contradict" in refusal(capsys, "--num-envs", "5", "--env.num-envs", "6", *new)
    assert "already holds a run" in refusal(capsys, *TINY, "--run-dir", str(run_dir))
    assert "no checkpoint" in refusal(capsys, *TINY, "--init-from", str(tmp_path / "none.pt"), *new)
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "policy.pt").write_bytes((run_dir / "policy.pt").read_bytes())
    assert "start from it with --init-from" in refusal(capsys, "--resume", str(tmp_path / "alone" / "policy.pt"))
    assert "holds no resume.pt" in refusal(capsys, "--resume", str(tmp_path))
    assert not (tmp_path / "new").exists()


def test_resume_refuses_to_become_another_run(run_dir: Path, capsys: Any) -> None:
    resume = ["--resume", str(run_dir)]
    others = ("--stage student", "--student.std 0.5", "--student.max-iterations 7", "--refinement.robots 8")
    for flags in ("--num-envs 5", "--seed 8", "--task anymal_rough", "--preset smoke", "--agent.gamma 0.9", *others):
        message = refusal(capsys, *resume, *flags.split())
        assert "--init-from" in message
    assert "--env.gait.apex" in refusal(capsys, *resume, "--env.gait.apex", "0.1")


def test_resume_warns_when_threads_or_precision_change_the_bits(run_dir: Path, capsys: Any) -> None:
    args = train.parse(["--resume", str(run_dir), "--threads", "2", "--precision", "fp32", "--max-iterations", "9"])
    assert args.env.threads == 2 and args.agent.max_iterations == 9
    assert "not bit-exact" in capsys.readouterr().err


def test_a_run_whose_networks_were_on_the_cpu_stays_there(run_dir: Path) -> None:
    assert train.parse(["--resume", str(run_dir)]).device == "cpu"
    assert train.parse(TINY).device == "auto"


def test_a_run_from_before_devices_were_recorded_stays_where_it_was(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the CPU, though there is a GPU now; only torch.distributed.run had put networks on GPUs."""
    record = read_resume(run_dir)
    del record["device"]
    monkeypatch.setattr(train.checkpoint, "read_resume", lambda _: record)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert distributed.recorded_device(record) == train.parse(["--resume", str(run_dir)]).device == "cpu"
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "1")
    assert distributed.recorded_device(record) == "cuda" and train.parse(["--resume", str(run_dir)]).device == "auto"


def test_resume_with_other_libraries_is_noted(capsys: Any) -> None:
    note_versions({"torch": "2.0", "numpy": "1", "commit": "a"}, {"torch": "2.1", "numpy": "1", "commit": "b"})
    assert "torch 2.0 -> 2.1;" in capsys.readouterr().err


def test_diverged_training_ends_with_one_sentence(run_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def diverge(_: Any) -> None:
        raise FloatingPointError("training diverged.")

    monkeypatch.setattr(TeacherRunner, "train", diverge)
    assert train.main(["--resume", str(run_dir)]) == 1
    assert capsys.readouterr().err == "train.py: training diverged.\n"


def test_run_directory_that_cannot_be_made_is_refused(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "file").write_text("")
    refusal(capsys, *TINY, "--run-dir", str(tmp_path / "file" / "run"))


@pytest.mark.skipif(importlib.util.find_spec("wandb") is not None, reason="wandb is installed")
def test_missing_wandb_is_named_before_anything_is_simulated(tmp_path: Path, capsys: Any) -> None:
    assert "pip install wandb" in refusal(capsys, *TINY, "--logger", "wandb", "--run-dir", str(tmp_path / "new"))


def test_configurations_survive_the_way_through_a_checkpoint() -> None:
    changed = replace(TASKS["anymal_rough"], seed=5, gait=replace(TASKS["anymal_rough"].gait, apex=0.1))
    assert sorted(differences(TASKS["anymal_rough"], changed)) == ["gait.apex", "seed"]
    with pytest.raises(ValueError, match="unknown to this version: nonsense"):
        restore(TeacherConfig(), {"nonsense": 1})


@pytest.mark.slow
def test_terminated_process_saves_exits_cleanly_and_says_how_to_go_on(tmp_path: Path) -> None:
    path = tmp_path / "run"
    command = [sys.executable, "train.py", *TINY, "--max-iterations", "100000", "--run-dir", str(path)]
    process = subprocess.Popen(command, cwd=Path(train.__file__).parent, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (path / "curves.csv").is_file() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.2)
    os.kill(process.pid, signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and shell.command("train.py", ["--resume", path]) in output
    assert read_resume(path)["iteration"] == load_policy(path).meta["iteration"] > 0
