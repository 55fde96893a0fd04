from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
import torch
from PIL import Image
from policy_files import write_policy, write_student
from spectator import SHORT, Spectator

import play
from envs.config import EnvConfig
from envs.height_noise import LEVELS
from envs.tasks import TASKS
from envs.terrains import FAMILIES
from evaluation.playing import Walk
from viewer.web import Visit

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.usefixtures("project")


@pytest.mark.usefixtures("spectator")
@pytest.mark.parametrize("flags", [(), ("--checkpoint",), ("--checkpoint", "--seed", "3")])
def test_bare_checkpoint_flag_and_none_mean_the_pretrained_policy(
    flags: tuple[str, ...], project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_policy(project / "pretrained" / "teacher.pt", EnvConfig())
    assert play.main([*flags, *SHORT]) == 0
    assert capsys.readouterr().out.startswith("pretrained/teacher.pt on flat")
    write_policy(project / "pretrained" / "student.pt", EnvConfig())
    assert play.main([*SHORT, *flags]) == 0
    assert capsys.readouterr().out.startswith("pretrained/student.pt on flat")


@pytest.mark.usefixtures("spectator")
def test_named_policy_wins_over_the_pretrained_one(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_policy(project / "pretrained" / "teacher.pt", EnvConfig())
    write_policy(project / "runs" / "mine" / "policy.pt", EnvConfig())
    assert play.main(["--checkpoint", "runs/mine", *SHORT]) == 0
    assert capsys.readouterr().out.startswith("runs/mine on flat")


@pytest.mark.usefixtures("spectator")
def test_without_any_policy_one_sentence_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert play.main(["--checkpoint"]) == 2
    message = capsys.readouterr().err
    assert "train.py" in message
    assert "--agent zero" in message
    assert message.count("\n") == 1


@pytest.mark.usefixtures("spectator")
@pytest.mark.parametrize("baseline", ["zero", "random"])
def test_baseline_agents_need_no_checkpoint(baseline: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert play.main(["--agent", baseline, *SHORT]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"{baseline} on flat; command 0.7 0 0\n")
    assert all(word in printed for word in ("Distance: ", "Falls: 0", "Mean velocity error: "))


def test_student_walks_with_nominal_noise_or_the_one_that_is_named(spectator: Spectator, capsys: Any) -> None:
    write_student(Path("student.pt"), EnvConfig())
    for flags, level in (([], "nominal"), (["--noise", "covered"], "covered")):
        assert play.main(["--checkpoint", "student.pt", *flags, *SHORT]) == 0
        assert capsys.readouterr().out.startswith(f"student.pt on flat; command 0.7 0 0; noise {level}\n")
        assert spectator.env.cfg.height_noise == LEVELS[level]


def test_noise_is_refused_for_those_who_see_none(capsys: Any) -> None:
    assert play.main(["--agent", "zero", "--noise", "large", *SHORT]) == 2
    assert capsys.readouterr().err == "play.py: --noise is for Students; leave it out for zero.\n"


def test_every_level_of_noise_can_be_named() -> None:
    assert get_args(get_args(get_type_hints(play.Args)["noise"])[0]) == tuple(LEVELS)


def test_command_reaches_the_robot_and_may_be_negative(spectator: Spectator) -> None:
    assert play.main(["--agent", "zero", "--command", "-0.5", "0.25", "-1", *SHORT]) == 0
    assert spectator.commands == [[-0.5, 0.25, -1.0]] * 3


def test_nothing_is_random_about_the_robot(spectator: Spectator) -> None:
    poses = []
    for seed in ("1", "2"):
        assert play.main(["--agent", "zero", "--seed", seed, *SHORT[:4], "--terrain", "step_up"]) == 0
        poses.append(spectator.env.state.base_position_w)
    assert poses[0].numpy() == pytest.approx(poses[1].numpy(), abs=0.02)


def test_explicit_parameters_replace_those_of_the_difficulty(spectator: Spectator) -> None:
    flags = ["--viewer", "video", "--terrain", "stairs_up", "--difficulty", "1", "--depth", "0.4", "--seconds", "0.02"]
    assert play.main(["--agent", "zero", *flags]) == 0
    (tile,) = spectator.env.placement.map.tiles
    assert (tile.family, tile.parameters) == ("stairs_up", {"height": 0.22, "depth": 0.4})


def test_every_parameter_of_every_family_has_a_flag() -> None:
    assert set(play.PARAMETERS) == {parameter.name for family in FAMILIES.values() for parameter in family.parameters}


def test_heightmap_files_are_walked_on(spectator: Spectator) -> None:
    slope = np.linspace(0.0, 1.0, 80)[None, :] * np.ones((80, 1))
    np.save("slope.npy", slope)
    Image.fromarray((255 * slope).astype(np.uint8)).save("slope.png")
    for flags in (["slope.npy"], ["slope.png", "--scale", "1", "--resolution", "0.05"]):
        assert play.main(["--agent", "zero", "--viewer", "video", "--seconds", "0.02", "--terrain", *flags]) == 0
        climb = spectator.env.surface.height(np.array([[-1.0, 0.0], [1.0, 0.0]]))
        assert climb[1] - climb[0] == pytest.approx(2.0 / 3.95, abs=0.02)


def test_interruption_ends_the_play_with_its_result(
    spectator: Spectator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> bool:
        signal.raise_signal(signal.SIGINT)
        return True

    monkeypatch.setattr(spectator, "show", interrupted)
    assert play.main(["--agent", "zero", "--viewer", "video", "--terrain", "flat"]) == 0
    assert "in 0.02 s" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--terrain", "moon"], "stairs_up"),
        (["--terrain", "nothing.npy"], "nothing.npy"),
        (["--terrain", "flat", "--height", "0.1"], "height"),
        (["--terrain", "stairs_up", "--height", "9"], "0.5"),
        (["--terrain", "stairs_up", "--height", "nan"], "height"),
        (["--difficulty", "1.5"], "0 and 1"),
        (["--scale", "2"], "heightmap"),
        (["--terrain", "map.npy", "--height", "0.1"], "--height"),
        (["--terrain", "map.npy", "--difficulty", "0.1"], "--difficulty"),
        (["--command", "nan", "0", "0"], "--command"),
        (["--command", "0", "9", "0"], "--command"),
        (["--seconds", "0"], "--seconds"),
        (["--seconds", "inf"], "--seconds"),
        (["--seed", "-1"], "--seed"),
        (["--viewer", "video", "--size", "63", "48"], "63 x 48"),
        (["--video", "out.gif"], ".mp4"),
        (["--frames", "file"], "folder"),
        (["--checkpoint", "file"], "zero"),
        (["--agent", "policy", "--checkpoint", "file"], "damaged"),
        (["--agent", "policy", "--checkpoint", "nowhere"], "nowhere"),
        (["--viewer", "video", "--agent", "policy", "--checkpoint", "a", "b"], "--viewer web"),
        (["--viewer", "video", "--follow"], "--viewer web"),
        (["--follow"], "--checkpoint"),
        (["--viewer", "window"], "no screen"),
        (["--viewer", "web", "--video", "out.mp4"], "--viewer web"),
        (["--port", "70000"], "port"),
        (["--host", "192.0.2.1"], "--port"),
    ],
)
def test_requests_that_cannot_be_met_get_one_sentence_and_exit_code_2(
    flags: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("file").write_text("text")
    np.save("map.npy", np.zeros((80, 80)))
    assert play.main(["--agent", "zero", "--seconds", "0.02", *flags]) == 2
    message = capsys.readouterr().err
    assert message.startswith("play.py: ")
    assert words in message
    assert message.count("\n") == 1


def test_without_opengl_everything_imports_and_play_names_the_package(project: Path) -> None:
    for name in ("OpenGL", "glfw"):
        (project / name).mkdir()
        (project / name / "__init__.py").write_text("raise ImportError('No library')\n")
    clean = {name: value for name, value in os.environ.items() if name not in ("MUJOCO_GL", "DISPLAY")}
    program = "import evaluate, train, play; raise SystemExit(play.main(['--agent', 'zero', '--video', 'a.mp4']))"
    run = subprocess.run(
        [sys.executable, "-c", program],
        env=clean | {"PYTHONPATH": f"{project}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 2
    assert "libegl1" in run.stderr
    assert "MUJOCO_GL=egl" in run.stderr
    assert run.stderr.count("\n") == 1


def test_walk_measures_along_the_command_and_skips_the_steps_that_end_episodes() -> None:
    walk = Walk(dt=0.5)
    forward = torch.tensor([0.0, 2.0, 0.5])
    state: Any = SimpleNamespace(
        linear_velocity_yaw=torch.tensor([[3.0, 1.0, 7.0]]), angular_velocity_b=torch.tensor([[0.0, 0.0, 1.5]])
    )
    walk.add(state, forward, done=False, fell=False)
    walk.add(state, forward, done=True, fell=True)
    walk.add(state, forward, done=True, fell=False)
    assert (walk.steps, walk.falls, walk.measured) == (3, 1, 1)
    assert walk.distance == pytest.approx(1.0 * 0.5)
    assert walk.commanded == pytest.approx(2.0 * 0.5)
    assert "0.50 m along the command, 1.00 m asked for, in 1.50 s" in str(walk)
    assert f"{np.hypot(3.0, 1.0):.3f} m/s, 1.000 rad/s" in str(walk)


def test_task_of_the_policy_does_not_choose_the_world(spectator: Spectator, project: Path) -> None:
    write_policy(project / "pretrained" / "teacher.pt", TASKS["anymal_flat"])
    assert play.main(["--viewer", "video", "--terrain", "step_up", "--seconds", "0.02"]) == 0
    assert [tile.family for tile in spectator.env.placement.map.tiles] == ["step_up"]


@pytest.fixture
def visitor(monkeypatch: pytest.MonkeyPatch) -> list[Visit]:
    """What would have been shown on a page."""
    visits: list[Visit] = []

    def visit(request: Visit) -> Walk:
        visits.append(request)
        return Walk(dt=0.02)

    monkeypatch.setattr("viewer.web.visit", visit)
    return visits


def test_without_a_screen_a_page_for_this_computer_alone_is_the_default(visitor: list[Visit]) -> None:
    assert play.main(["--agent", "zero", "--terrain", "stairs_up", "--height", "0.1", "--command", "1", "0", "0"]) == 0
    (visit,) = visitor
    assert (visit.host, visit.port, visit.terrain, visit.command) == ("127.0.0.1", 8080, "stairs_up", (1.0, 0.0, 0.0))
    assert visit.ground.parameters["height"] == 0.1
    assert visit.seconds is None
    assert not list(Path().glob("*.mp4"))


def test_a_page_shows_several_policies_and_follows_a_training(visitor: list[Visit]) -> None:
    write_student(Path("runs/mine/policy.pt"), EnvConfig())
    write_policy(Path("teacher.pt"), EnvConfig())
    assert play.main(["--checkpoint", "runs/mine", "teacher.pt", "zero", "--follow", "--noise", "covered"]) == 0
    (visit,) = visitor
    assert [agent.name for agent in visit.agents] == ["runs/mine", "teacher.pt", "zero"]
    assert (visit.follow, visit.noise) == (Path("runs/mine"), "covered")


@pytest.mark.usefixtures("marks")
def test_a_page_knows_the_task(visitor: list[Visit]) -> None:
    Path("mine.py").write_text("from envs.config import EnvConfig\n\nMINE = EnvConfig(fall_penalty=7.0)\n")
    assert play.main(["--agent", "zero", "--task", "mine.py:MINE"]) == 0
    assert visitor[0].task.fall_penalty == visitor[0].agents[0].env.fall_penalty == 7.0


def test_several_policies_have_the_page_also_where_there_is_a_screen(
    visitor: list[Visit], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(play, "find_viewer", SimpleNamespace)
    assert play.main(["--checkpoint", "zero", "random"]) == 0
    assert [agent.name for agent in visitor[0].agents] == ["zero", "random"]


def test_without_viser_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "viewer"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "viser", None)
    assert play.main(["--agent", "zero"]) == 2
    message = capsys.readouterr().err
    assert "viser" in message and "pip install" in message and message.count("\n") == 1
