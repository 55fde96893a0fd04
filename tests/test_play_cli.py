from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args, get_type_hints

import imageio_ffmpeg
import mujoco
import numpy as np
import pytest
import torch
from PIL import Image
from policy_files import write_policy, write_student
from worlds import plane_tile

import play
from agents.policies import StudentPolicy
from envs.anymal import AnymalEnv
from envs.config import EnvConfig
from envs.height_noise import LEVELS
from envs.rendering import Renderer, RenderingError
from envs.tasks import TASKS
from envs.terrains import FAMILIES
from evaluation import agents
from evaluation.belief import COLOURS, BeliefView
from evaluation.legend import BACKGROUND
from evaluation.playing import Walk

ROOT = Path(__file__).parents[1]
SHORT = ["--seconds", "0.06", "--terrain", "flat", "--size", "64", "48"]


class Spectator:
    """Takes the place of the recorder, to need no OpenGL: remembers where it was put and what it saw."""

    def __init__(self) -> None:
        self.commands: list[list[float]] = []

    @contextmanager
    def recording(
        self,
        env: AnymalEnv,
        size: tuple[int, int],
        video: Path | None = None,
        frames: Path | None = None,
        belief: BeliefView | None = None,
    ) -> Iterator[Spectator]:
        self.env, self.size, self.video, self.frames, self.belief = env, size, video, frames, belief
        yield self

    def show(self) -> bool:
        self.commands.append(self.env.state.command[0].tolist())
        return True


@pytest.fixture(autouse=True)
def project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty project on a machine without a screen."""
    monkeypatch.setattr(agents, "ROOT", tmp_path)
    monkeypatch.setattr(play, "find_viewer", lambda: None)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def spectator(monkeypatch: pytest.MonkeyPatch) -> Spectator:
    spectator = Spectator()
    monkeypatch.setattr(play, "recording", spectator.recording)
    return spectator


@pytest.fixture
def opengl() -> None:
    try:
        env = AnymalEnv(EnvConfig(num_envs=1, threads=1), [plane_tile()])
        Renderer(env, (64, 48)).close()
    except RenderingError as error:
        pytest.skip(str(error))


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
@pytest.mark.parametrize("control", ["zero", "random"])
def test_controls_need_no_checkpoint(control: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert play.main(["--agent", control, *SHORT]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"{control} on flat; command 0.7 0 0\n")
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
        assert play.main(["--agent", "zero", "--seed", seed, *SHORT[:2], "--terrain", "step_up"]) == 0
        poses.append(spectator.env.state.base_position_w)
    assert poses[0].numpy() == pytest.approx(poses[1].numpy(), abs=0.02)


def test_explicit_parameters_replace_those_of_the_difficulty(spectator: Spectator) -> None:
    flags = ["--terrain", "stairs_up", "--difficulty", "1", "--depth", "0.4", "--seconds", "0.02"]
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
        assert play.main(["--agent", "zero", "--seconds", "0.02", "--terrain", *flags]) == 0
        climb = spectator.env.surface.height(np.array([[-1.0, 0.0], [1.0, 0.0]]))
        assert climb[1] - climb[0] == pytest.approx(2.0 / 3.95, abs=0.02)


def test_without_a_screen_a_video_named_after_the_terrain_is_the_default(
    spectator: Spectator, capsys: pytest.CaptureFixture[str]
) -> None:
    assert play.main(["--agent", "zero", "--seconds", "0.02", "--terrain", "rough"]) == 0
    assert (spectator.video, spectator.frames, spectator.size) == (Path("play_rough.mp4"), None, (1280, 720))
    assert capsys.readouterr().out.endswith("Wrote play_rough.mp4\n")


def test_frames_alone_need_no_video(spectator: Spectator) -> None:
    assert play.main(["--agent", "zero", "--frames", "pictures", *SHORT]) == 0
    assert (spectator.video, spectator.frames) == (None, Path("pictures"))


@pytest.mark.parametrize("who", [["--checkpoint", "teacher.pt"], ["--agent", "zero"]])
def test_belief_is_refused_for_those_who_have_none(who: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    write_policy(Path("teacher.pt"), EnvConfig())
    assert play.main([*who, "--belief", *SHORT]) == 2
    expected = f"play.py: --belief is for Students, who alone have one; leave it out for {who[1]}.\n"
    assert capsys.readouterr().err == expected


def test_belief_is_shown_only_if_asked_for(spectator: Spectator) -> None:
    write_student(Path("student.pt"), EnvConfig())
    assert play.main(["--checkpoint", "student.pt", *SHORT]) == 0
    assert spectator.belief is None
    assert play.main(["--checkpoint", "student.pt", "--belief", "--noise", "large", *SHORT]) == 0
    assert spectator.belief is not None and spectator.belief.noise == "large"


def test_belief_is_shown_with_the_observations_it_comes_from_and_costs_no_second_thought(
    spectator: Spectator, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_student(Path("student.pt"), EnvConfig())
    events: list[Any] = []
    act, show = StudentPolicy.act, spectator.show

    def acting(policy: StudentPolicy, obs: Any) -> Any:
        events.append(obs["extero_noisy"].clone())
        return act(policy, obs)

    def showing() -> bool:
        assert spectator.belief is not None
        spectator.belief.look(100)
        events.append(spectator.env.get_observations()["extero_noisy"].clone())
        return show()

    monkeypatch.setattr(StudentPolicy, "act", acting)
    monkeypatch.setattr(spectator, "show", showing)
    assert play.main(["--checkpoint", "student.pt", "--belief", *SHORT]) == 0
    assert len(events) == 6
    assert all(np.array_equal(thought, shown) for thought, shown in zip(events[::2], events[1::2], strict=True))
    assert not np.array_equal(events[0], events[4])


@pytest.mark.usefixtures("opengl")
def test_belief_gives_the_pictures_a_legend() -> None:
    write_student(Path("student.pt"), EnvConfig())
    size = ["--terrain", "flat", "--seconds", "0.04", "--size", "320", "240"]
    assert play.main(["--checkpoint", "student.pt", "--belief", "--frames", "pictures", *size]) == 0
    for path in sorted(Path("pictures").iterdir()):
        corner = np.asarray(Image.open(path))[:40, :60].reshape(-1, 3)
        assert all((corner == colour).all(-1).any() for colour in (BACKGROUND, *COLOURS.values()))


@pytest.mark.usefixtures("opengl")
def test_video_has_a_picture_per_step_in_a_format_that_everything_plays() -> None:
    assert play.main(["--agent", "zero", "--video", "deep/out.mp4", "--frames", "pictures", *SHORT]) == 0
    video = next(imageio_ffmpeg.read_frames("deep/out.mp4"))
    assert (video["size"], video["fps"], video["codec"]) == ((64, 48), 50.0, "h264")
    assert video["pix_fmt"].startswith("yuv420p")
    assert imageio_ffmpeg.count_frames_and_secs("deep/out.mp4")[0] == 3
    pictures = sorted(Path("pictures").iterdir())
    assert [picture.name for picture in pictures] == [f"frame_0000{i}.png" for i in range(3)]
    assert Image.open(pictures[0]).size == (64, 48)
    assert len(np.unique(np.asarray(Image.open(pictures[0])))) > 50


def test_with_a_screen_the_robot_walks_in_a_window_until_it_is_closed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[np.ndarray] = []
    stop = SimpleNamespace(closed=False)

    def launch_passive(model: Any, data: Any, **_: Any) -> Any:
        handle = SimpleNamespace(cam=SimpleNamespace(), lock=nullcontext, is_running=lambda: len(shown) < 4)
        handle.sync = lambda: shown.append(data.qpos.copy())
        handle.close = lambda: setattr(stop, "closed", True)
        return handle

    monkeypatch.setattr(play, "find_viewer", lambda: SimpleNamespace(launch_passive=launch_passive))
    assert play.main(["--agent", "zero", "--terrain", "flat"]) == 0
    assert len(shown) == 4
    assert stop.closed
    assert shown[0][2] > 0.3
    assert not np.array_equal(shown[0], shown[3])
    assert "in 0.06 s" in capsys.readouterr().out


def test_with_a_screen_the_belief_is_in_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    write_student(Path("student.pt"), EnvConfig())
    counts: list[int] = []
    images: list[Any] = []

    def launch_passive(model: Any, data: Any, **_: Any) -> Any:
        scene = mujoco.MjvScene(model, maxgeom=1000)
        handle = SimpleNamespace(cam=SimpleNamespace(), lock=nullcontext, is_running=lambda: len(counts) < 3)
        handle.user_scn, handle.set_images, handle.close = scene, images.append, lambda: None
        handle.sync = lambda: counts.append(scene.ngeom)
        return handle

    monkeypatch.setattr(play, "find_viewer", lambda: SimpleNamespace(launch_passive=launch_passive))
    assert play.main(["--checkpoint", "student.pt", "--belief", "--terrain", "flat"]) == 0
    assert counts == [3 * 208] * 3
    for viewport, legend in images:
        assert (viewport.height, viewport.width, 3) == legend.shape


def test_interruption_ends_the_play_with_its_result(
    spectator: Spectator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> bool:
        signal.raise_signal(signal.SIGINT)
        return True

    monkeypatch.setattr(spectator, "show", interrupted)
    assert play.main(["--agent", "zero", "--terrain", "flat"]) == 0
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
        (["--size", "63", "48"], "63 x 48"),
        (["--video", "out.gif"], ".mp4"),
        (["--frames", "file"], "folder"),
        (["--checkpoint", "file"], "zero"),
        (["--agent", "policy", "--checkpoint", "file"], "damaged"),
        (["--agent", "policy", "--checkpoint", "nowhere"], "nowhere"),
        (["--agent", "policy", "--checkpoint", "a", "b"], "one policy"),
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
    assert play.main(["--terrain", "step_up", "--seconds", "0.02"]) == 0
    assert [tile.family for tile in spectator.env.placement.map.tiles] == ["step_up"]
