"""The checks that need the libraries: run once for all jobs, before the first of them starts."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from frostline.config.data_settings import RGB_CHANNELS
from frostline.config.schema import Settings
from frostline.config.versions import installed_libraries
from frostline.data.augmentations import check_augment
from frostline.errors import FrostlineError
from frostline.sweeps.data_ahead import wait_until_read
from frostline.sweeps.data_check import data_key, distinct, read_data
from frostline.sweeps.failures import raise_together
from frostline.sweeps.known_depth import remember_stages
from frostline.sweeps.known_facts import remember
from frostline.sweeps.known_squares import squares_of
from frostline.sweeps.plan import JobFacts

if TYPE_CHECKING:
    from frostline.backbones.weights import WeightsSource


def check_jobs(
    jobs: Sequence[Settings], elsewhere: bool = False, *, on_progress: Callable[..., None]
) -> list[JobFacts]:
    """Check devices, depths, weights and data of all jobs; every question is asked once.

    Args:
        jobs: The settings of the jobs, already valid by themselves.
        elsewhere: Whether other machines may carry them out, whose devices cannot be seen here.
        on_progress: Receives `text=` for what takes a while.

    Returns:
        One record a job.

    Raises:
        FrostlineError: One error that names all problems of all jobs.
    """
    from frostline.backbones.weights import WeightsSource, find_weights
    from frostline.training.engine import numerics_of

    problems: list[FrostlineError] = []
    attempt = _Collector(problems)
    for s in distinct(jobs, lambda s: s.trainer):
        if not elsewhere:
            attempt(_check_device, s)
    depths = {_depth_key(s): attempt(_check_backbone, s) for s in distinct(jobs, _depth_key)}
    remember_stages(
        (s.backbone, depths[_depth_key(s)][1]) for s in jobs if depths[_depth_key(s)] is not FAILED
    )
    for s in distinct(jobs, lambda s: (s.backbone, s.image_size, s.in_chans, s.head.pool)):
        if s.head.pool != "avg" and depths[_depth_key(s)] is not FAILED:
            attempt(_check_pool, s)
    for s in distinct(jobs, lambda s: (s.augment.name, s.backbone, s.image_size, s.in_chans)):
        if depths[_depth_key(s)] is not FAILED:
            attempt(_check_augment, s)
    for s in distinct(jobs, _schedule_key):
        if depths[_depth_key(s)] is not FAILED:
            attempt(_check_schedule, s, *depths[_depth_key(s)][:2])
    own = [s for s in distinct(jobs, lambda s: s.own_code) if s.own_parts]
    if own:
        from frostline.sweeps.own_parts_check import check_own_parts  # imports Lightning

        for s in own:
            attempt(check_own_parts, s)
    sources: dict[tuple[str, str], WeightsSource] = {}
    for weights in dict.fromkeys(s.weights for s in jobs):
        names = list(dict.fromkeys(s.backbone for s in jobs if s.weights == weights))
        found = attempt(find_weights, names, weights)
        if found is not FAILED:
            sources |= {(name, weights): source for name, source in found.items()}
    for s in distinct(jobs, _weights_key):
        source = sources.get((s.backbone, s.weights))
        # Of timm's own weights only those for rectangles may not fit.
        is_asked = s.is_weights_file or isinstance(s.image_size, tuple)
        if source is not None and source.file and is_asked and depths[_depth_key(s)] is not FAILED:
            attempt(_check_weights, s, source, on_progress)
    raise_together(problems)
    for s in distinct(jobs, lambda s: (s.backbone, s.in_chans, s.weights)):
        if s.in_chans != RGB_CHANNELS:
            _say_channels(s, on_progress)
    for s in distinct(jobs, lambda s: (s.backbone, s.image_size, s.in_chans)):
        _say_left_out(s, on_progress)

    wait_until_read()
    data = read_data(jobs, attempt, on_progress, failed=FAILED, squares=squares_of(jobs))
    raise_together(problems)
    facts = []
    for s in jobs:
        of_data = data[data_key(s)]
        prefix_stages, num_stages, input_px, model_bytes = depths[_depth_key(s)]
        facts.append(
            JobFacts(
                data_fingerprint=of_data.fingerprint,
                split_digest=of_data.split_digest,
                weights_digest=sources[(s.backbone, s.weights)].digest,
                n_train=of_data.n_train,
                prefix_stages=prefix_stages,
                num_stages=num_stages,
                input_px=input_px,
                model_bytes=model_bytes,
                numerics=numerics_of(s.trainer),
                libraries=installed_libraries(),
                value_range=of_data.value_range,
            )
        )
    remember(jobs, facts, {key: one.file for key, one in sources.items() if one.file is not None})
    return facts


FAILED = object()


class _Collector:
    """Calls functions and collects the errors that the user can fix, each once."""

    def __init__(self, problems: list[FrostlineError]) -> None:
        self._problems = problems

    def __call__(self, function: Callable[..., Any], *args: Any) -> Any:
        try:
            return function(*args)
        except FrostlineError as error:
            if str(error) not in map(str, self._problems):
                self._problems.append(error)
            return FAILED


def _check_device(settings: Settings) -> None:
    """Raise if this machine lacks the device that a job asks for by name, or so many of them."""
    from frostline.training.engine import check_cards, choose_engine

    choose_engine(settings.trainer)
    check_cards(settings.trainer)


def _check_augment(settings: Settings) -> None:
    """Raise if the augmentation cannot be done to the images that the backbone takes."""
    from frostline.backbones.build import input_spec

    s = settings
    check_augment(s.augment.name, input_spec(s.backbone, s.image_size, s.in_chans))


def _check_backbone(settings: Settings) -> tuple[int, int, int | str, int]:
    """Stages of the frozen prefix, all stages, input size, bytes of a backbone without weights."""
    from frostline.backbones.adapters import adapted_layers, check_peft
    from frostline.backbones.build import check_freeze, outline
    from frostline.backbones.state_digest import named_state

    name, asked = settings.backbone, (settings.image_size, settings.in_chans)
    depth = check_freeze(name, settings.freeze, *asked)
    model, spec, *_ = outline(name, *asked)
    if depth.is_adapted:
        check_peft()
        adapted_layers(name, model)
    size = sum(tensor.numel() * tensor.element_size() for _, tensor in named_state(model))
    return depth.prefix_stages, depth.num_stages, spec.size_label, size


def _say_channels(settings: Settings, on_progress: Callable[..., None]) -> None:
    """Say how images of other channels than colour are normalised, and the weights adapted."""
    from frostline.backbones.build import input_spec
    from frostline.backbones.weights_hub import first_layers

    name, in_chans = settings.backbone, settings.in_chans
    spec = input_spec(name, settings.image_size, in_chans)
    text = f"in_chans={in_chans}, {name}: "
    if settings.weights == "pretrained":
        how = "summed over the colours" if in_chans == 1 else "repeated and scaled"
        text += f"{', '.join(first_layers(name))} is {how}, as timm does; "
    values = (" ".join(f"{value:.3f}" for value in each) for each in (spec.mean, spec.std))
    on_progress(text=text + "images are normalised with mean {}, deviation {}".format(*values))


def _say_left_out(settings: Settings, on_progress: Callable[..., None]) -> None:
    """Say what a network of patches leaves out of images of this size."""
    from frostline.backbones.build import outline
    from frostline.backbones.image_sides import left_out

    model, spec, *_ = outline(settings.backbone, settings.image_size, settings.in_chans)
    text = left_out(settings.backbone, model, spec)
    if text is not None:
        on_progress(text=text)


def _check_schedule(settings: Settings, prefix_stages: int, num_stages: int) -> None:
    """Raise if a schedule thaws nothing, or not in the epochs there are."""
    from frostline.training.optim import check_adapter_rates
    from frostline.training.schedule import phases_of

    phases_of(
        settings.schedule,
        freeze=settings.freeze,
        prefix_stages=prefix_stages,
        num_stages=num_stages,
        epochs=settings.epochs,
    )
    check_adapter_rates(settings.freeze, settings.optimizer.layer_decay)


def _check_pool(settings: Settings) -> None:
    """Raise if a backbone has no map that the head could pool so; `avg` is always possible."""
    from frostline.backbones.build import build_backbone
    from frostline.backbones.pooling import set_pool

    backbone = build_backbone(
        settings.backbone,
        weights="random",
        image_size=settings.image_size,
        seed=0,
        in_chans=settings.in_chans,
    )
    set_pool(backbone, settings.head.pool)


def _check_weights(
    settings: Settings, source: "WeightsSource", on_progress: Callable[..., None]
) -> None:
    """Raise if a weights file does not fit a backbone; say where in it the weights are."""
    from frostline.backbones.build import check_weights

    fit = check_weights(
        settings.backbone,
        settings.image_size,
        source,
        key=settings.weights_key,
        partial=settings.weights_partial,
        in_chans=settings.in_chans,
    )
    for note in fit.notes:
        on_progress(text=f"weights {source.where} for {settings.backbone}: {note}")


def _weights_key(settings: Settings) -> tuple[object, ...]:
    s = settings
    return s.backbone, s.image_size, s.in_chans, s.weights, s.weights_key, s.weights_partial


def _schedule_key(settings: Settings) -> tuple[object, ...]:
    s = settings
    return _depth_key(s), s.epochs, s.schedule.model_dump_json(), s.optimizer.layer_decay


def _depth_key(settings: Settings) -> tuple[object, ...]:
    return settings.backbone, settings.freeze, settings.image_size, settings.in_chans
