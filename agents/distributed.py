"""Several processes, the ranks, as one training: they agree on gradients, statistics and when to stop.

train.py starts them (agents/launch.py), or `python -m torch.distributed.run --nproc_per_node=2 train.py ...` does. In a
process alone there is one rank, and everything here changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stdout
from datetime import timedelta
from pathlib import Path
from statistics import fmean
from typing import Any, Literal, TypeVar

import torch
import torch.distributed as dist
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from agents import exchange
from agents.choices import Device
from agents.exchange import Exchange, LostRank
from system import shell
from system.files import scratch

Value = TypeVar("Value")

TRAIN = Path(__file__).parents[1] / "train.py"
MEETING = "ANYMAL_MEETING"  # environment variable: the folder where ranks meet that train.py has started
FIRST = "ANYMAL_FIRST_RANK"  # environment variable: the process that has started them
SEED_STEP = 1_000_003  # between the seeds of two ranks: so far that the seeds of two runs do not meet

neighbours: Exchange | None = None
"""What joins the ranks while all are on this machine and learn on its CPU."""
wanted: Literal["auto", "cpu"] = "auto"
"""Where the networks live; auto is on a GPU, if there is one for each process of this machine."""


@contextmanager
def connected(coming: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """Context in which all ranks, where there are several, are joined; only the first prints.

    `coming` tells the first rank whether all those that it has started still run.
    """
    if not launched():
        yield
        return
    with ExitStack() as stack:
        if rank() > 0:
            stack.enter_context(redirect_stdout(stack.enter_context(open(os.devnull, "w"))))
        if _by_torch():
            stack.enter_context(_process_group())
        with together():
            stack.enter_context(_neighbours(coming))
        yield


@contextmanager
def _process_group() -> Iterator[None]:
    """Context in which torch joins the ranks."""
    timeout = timedelta(seconds=exchange.TIMEOUT)
    if device() == "cpu":
        dist.init_process_group("gloo", timeout=timeout)
    else:
        torch.cuda.set_device(device())
        dist.init_process_group("cpu:gloo,cuda:nccl", timeout=timeout)
    try:
        yield
    finally:
        dist.destroy_process_group()


@contextmanager
def _neighbours(coming: Callable[[], bool]) -> Iterator[None]:
    """Context in which ranks that are all on this machine, and learn on its CPU, need not go through gloo."""
    global neighbours
    ranks = int(os.environ["WORLD_SIZE"])
    if ranks == 1 or device() != "cpu" or local_size() < ranks:
        yield
        return
    with ExitStack() as stack:
        folder = os.environ.get(MEETING) or gather(_folder_of_first(stack))[0]
        if rank() > 0 and not _by_torch():
            coming = _first_runs
        neighbours = stack.enter_context(exchange.joined(rank(), ranks, Path(folder), coming))
        try:
            yield
        finally:
            neighbours = None


def _first_runs() -> bool:
    """Whether the first rank, which has started this one, still runs."""
    return os.getppid() == int(os.environ[FIRST])


def _folder_of_first(stack: ExitStack) -> str:
    """Where the first rank meets those that torch.distributed.run has started."""
    return str(stack.enter_context(scratch())) if rank() == 0 else ""


def launched() -> bool:
    """Whether this process was started as one of several ranks."""
    return MEETING in os.environ or dist.is_torchelastic_launched()


def rank() -> int:
    """Number of this process, from 0, known before the ranks are joined; rank 0 alone writes files and the console."""
    return int(os.environ.get("RANK", 0)) if launched() else 0


def size() -> int:
    """Number of ranks."""
    if neighbours is not None:
        return neighbours.ranks
    return dist.get_world_size() if dist.is_initialized() else 1


def local_size() -> int:
    """Number of ranks on this machine, known before they are joined."""
    return int(os.environ["LOCAL_WORLD_SIZE"]) if launched() else 1


def device() -> str:
    """Where this rank's networks live: on a GPU of its own, or on the CPU.

    Several processes that train.py itself has started share the CPU; torch.distributed.run starts them for GPUs.
    """
    shared = launched() and not _by_torch()
    if wanted == "cpu" or shared or torch.cuda.device_count() < local_size():
        return "cpu"
    return f"cuda:{os.environ['LOCAL_RANK'] if launched() else 0}"


def recorded_device(record: Mapping[str, Any]) -> str:
    """Kind of device, cpu or cuda, on which the networks of a training with this record were.

    Older records lack it: GPUs were for those alone that torch.distributed.run started, if each had one.
    """
    on_gpus = _by_torch() and torch.cuda.device_count() >= local_size()
    return record.get("device", "cuda" if on_gpus else "cpu")


def choose(choice: Device, processes: int) -> None:
    """Let the networks of a training in so many processes live there; a ValueError if they cannot."""
    global wanted
    wanted = "cpu" if choice == "cpu" else "auto"
    if choice != "cuda":
        return
    if processes > 1 and not _by_torch():
        raise ValueError(
            "--device cuda is for one process (--processes 1), or for several that torch.distributed.run starts with a "
            "GPU for each."
        )
    if device() == "cpu":
        raise ValueError(
            f"--device cuda needs a GPU for each process of this machine, and torch finds {torch.cuda.device_count()}: "
            "take --device cpu."
        )


def own_seed(seed: int) -> int:
    """Seed of this rank's robots and action noise; the first rank's is the run's."""
    return seed + SEED_STEP * rank()


def command(ranks: int, *arguments: Path | str) -> str:
    """What starts train.py with this many ranks in the present shell, the way it was started before."""
    if not _by_torch():
        return shell.command(TRAIN, arguments)
    machines = int(os.environ["WORLD_SIZE"]) // local_size()
    if ranks % machines:
        machines = 1
    nodes = [f"--nnodes={machines}"] if machines > 1 else []
    launcher = ["-m", "torch.distributed.run", f"--nproc_per_node={ranks // machines}", *nodes]
    return shell.command(TRAIN, arguments, launcher)


def _by_torch() -> bool:
    return launched() and MEETING not in os.environ


def total(x: torch.Tensor) -> torch.Tensor:
    """Sum of a tensor over all ranks, the same bits on each."""
    if size() == 1:
        return x
    return all_reduce(x) if neighbours is None else neighbours.total(x)


def all_reduce(x: torch.Tensor) -> torch.Tensor:
    """The same sum by torch's own means."""
    x = x.clone()
    dist.all_reduce(x)
    return x


def gather(value: Value) -> list[Value]:
    """The ranks' values in their order, on all ranks."""
    if neighbours is not None:
        return neighbours.gather(value)
    values: list[Any] = [value] * size()
    if size() > 1:
        dist.all_gather_object(values, value)
    return values


def agree(tensors: Iterable[torch.Tensor]) -> None:
    """Put the first rank's values into the tensors of all."""
    own = list(tensors)
    first = gather([x.cpu() for x in own] if rank() == 0 else [])[0]
    for x, value in zip(own, first, strict=True):
        x.copy_(value)


def average_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Put the mean over all ranks in the place of the gradient of every parameter that has one."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    vector_to_parameters(total(parameters_to_vector(gradients)) / size(), gradients)


def any_rank(flag: bool) -> bool:
    """Whether the flag is set on any rank."""
    return bool(total(torch.tensor(int(flag))))


def wait() -> None:
    """Return when all ranks have come here, so that each finds the files that the first one wrote before."""
    total(torch.zeros(()))


def mean(values: dict[str, float]) -> dict[str, float]:
    """Mean of every named value over the ranks that have it, on all ranks."""
    ranks = gather(values)
    names = dict.fromkeys(name for own in ranks for name in own)
    return {name: fmean(own[name] for own in ranks if name in own) for name in names}


def rsl_rl_ranks() -> dict[str, int] | None:
    """What rsl_rl's algorithms want to know in order to average their gradients over the ranks."""
    return {"global_rank": rank(), "world_size": size()} if size() > 1 else None


@contextmanager
def together() -> Iterator[None]:
    """Context of work that needs all ranks: where another one has died, this one ends too, with a LostRank."""
    try:
        yield
    except RuntimeError as error:
        if size() == 1 or not (isinstance(error, dist.DistError) or "gloo" in str(error)):
            raise
        raise LostRank from error
