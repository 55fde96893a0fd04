"""A Student as two files for a robot: its network (measurements in, joint targets out) and its contract."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from agents.checkpoint import versions
from agents.policies import StudentPolicy
from anymal_policy import contract, gait, layout
from anymal_policy.deployed import HIDDEN, HISTORY, PHASE, DeployedStudent, repeated
from anymal_policy.exporting import PACKAGES, difference, write_onnx
from envs.drives import DriveConfig, description
from envs.robot import FOOT_RADIUS
from evaluation.agents import trained_for
from system.files import naming, scratch, whole

MODEL, CONTRACT = "student.onnx", "student.json"
TOLERANCE = 1e-4
"""rad, by which the joint targets of the written network may differ from ours."""
ORIGIN = ("task", "iteration", "samples", "seed", "student", "teacher_hash", "hash", "versions")
"""What the contract repeats of the checkpoint."""
USE = (
    "Every 1 / policy_hz s: feed all inputs and all of the memory, send joint_target to the drives, and keep every "
    "output next_X as the memory X of the next step. An episode starts with memory.X.start: numbers, or the name of "
    "the measurement that fills X. Heights that the map does not know are NaN."
)


def require_packages() -> None:
    """Raise a ValueError if a package is missing that writing these files needs."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise ValueError(f"Exporting needs {', '.join(missing)}: pip install {' '.join(missing)}.")


def deploy(policy: StudentPolicy, drive: DriveConfig, out: Path) -> float:
    """Write both files, each whole, and compare them with the policy; rad, largest difference of a joint target.

    The contract, the later one, is written for this network: a runner refuses what stands beside another.
    """
    module = deployed(policy)
    out.mkdir(parents=True, exist_ok=True)
    with naming(out), scratch(out, ".export-") as made:
        record = contract.whole(describe(policy, module, drive), policy.own_terms)
        write_onnx(module, made / MODEL, {contract.METADATA: contract.as_text(record)})
        error = difference(module, made / MODEL)
        if not error <= TOLERANCE:
            raise ValueError(f"{MODEL} differs from its policy by {error:.1e} rad: use the pinned onnx packages.")
        contract.write(made / CONTRACT, record)
        with whole(out / CONTRACT) as text, whole(out / MODEL) as model:
            shutil.copyfile(made / CONTRACT, text)
            shutil.copyfile(made / MODEL, model)
    return error


def deployed(policy: StudentPolicy) -> DeployedStudent:
    """What is exported of a Student, with the gait and clipping that it was trained with."""
    env = trained_for(policy.meta["env"])
    return DeployedStudent(policy.network, policy.normalizer, env.gait, env.action_limit, policy.own_terms).eval()


def describe(policy: StudentPolicy, module: DeployedStudent, drive: DriveConfig) -> dict[str, Any]:
    """The contract for a robot with these drives; `contract.whole` and `.write` add version, layout and hashes."""
    env = trained_for(policy.meta["env"])
    nothing = module.start({name: torch.zeros(1, term.size) for name, term in module.measured.items()})
    return {
        "use": USE,
        "policy": {name: policy.meta[name] for name in ORIGIN if name in policy.meta},
        "onnx": {"file": MODEL},
        "versions": {**versions(), **{name: version(name) for name in PACKAGES}},
        "rates": {
            "policy_hz": 1 / env.gait.dt,
            "drive_hz": env.decimation / env.gait.dt,
            "map_hz": policy.meta["env"].get("height_noise", {}).get("map_rate", env.height_noise.map_rate),
        },
        "drive": description.describe(drive),
        "gait": {**asdict(env.gait), "action_limit": env.action_limit, "trot_phase": gait.TROT.tolist()},
        "kinematics": {
            "chain_m": gait.leg_chain().tolist(),
            "meaning": "per leg, links to HAA (about x), HFE (about y), KFE (about y) and foot, at zero joint angles",
            "foot_radius_m": FOOT_RADIUS,
        },
        "inputs": {name: entry(term) for name, term in module.measured.items()},
        "memory": {name: remembered(name, value, module) for name, value in nothing.items()},
        "outputs": outputs(module),
    }


def entry(term: layout.Term) -> dict[str, Any]:
    """What the contract says of one input of the network."""
    return {"shape": ["n", term.size], "unit": term.unit, "frame": term.frame, "meaning": term.meaning}


UNSEEN = {
    PHASE: layout.Term(PHASE, 4, "rad", "-", "gait phase of each leg in [0, 2 pi), swing below pi"),
    HIDDEN: layout.Term(HIDDEN, 50, "1", "-", "hidden state of the belief encoder's two layers"),
}
"""What the memory holds beside terms of the proprioception."""


def remembered(name: str, value: torch.Tensor, module: DeployedStudent) -> dict[str, Any]:
    """What the contract says of one quantity of the memory: input `name`, output `next_name`, value at the start."""
    term = (module.remembered | UNSEEN)[name]
    if name == HIDDEN:
        return {**entry(term), "shape": [value.shape[0], "n", value.shape[-1]], "start": 0.0}
    of_the_present = name.endswith(HISTORY) and repeated(name) in module.measured
    return {**entry(term), "start": repeated(name) if of_the_present else value[0].tolist()}


def outputs(module: DeployedStudent) -> dict[str, Any]:
    """What the contract says of the outputs of the network other than its memory."""
    hidden, heights = (layout.size(module.terms[group]) for group in ("privileged", "extero"))
    return {
        "joint_target": {"shape": ["n", 12], "unit": "rad", "meaning": "targets for the drives, order of joints"},
        "action": {"shape": ["n", 16], "unit": "1", "meaning": "what the network chose: layout.action"},
        "gate": {"shape": ["n", 96], "unit": "1", "meaning": "trust in the latent heights, 24 per foot, 0 to 1"},
        "privileged": {
            "shape": ["n", hidden],
            "unit": "SI",
            "meaning": "estimate of layout.observations.privileged",
        },
        "terrain": {"shape": ["n", heights], "unit": "m", "meaning": "estimate of the true height samples"},
    }
