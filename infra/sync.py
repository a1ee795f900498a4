"""What ``sync`` of a config comes to: routes, what is behind them, and environments, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass

from contract.policy import TaskPolicy
from contract.sync_routes import TextToImageRoute
from infra.api_routes import ApiRoute, Function, api_routes
from infra.config.model import Config

POLICY_FIELDS = ("max_pixels", "max_pixel_steps")
"""What of a task policy an image from text by an endpoint can break."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KitFunction:
    """The image kit as a function. ``image`` None: the stack builds it. ``policy``: what a request may ask for."""

    memory_mb: int
    image: str | None
    policy: TaskPolicy
    input_buckets: tuple[str, ...]

    def environment(self, *, results_bucket: str) -> dict[str, str]:
        """``results_bucket`` takes what is larger than a function's answer."""
        return {
            "RESULTS_BUCKET": results_bucket,
            "INPUT_BUCKETS": ",".join(self.input_buckets),
            "TASK_POLICY": self.policy.to_env(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncPlan:
    """``image_kit``: the runtime behind the image kit's routes, or ``image_kit_function`` the function; ``None`` both:
    there are no such routes. ``text_to_image``: what is behind the route of images from text."""

    image_kit: str | None = None
    image_kit_function: KitFunction | None = None
    text_to_image: TextToImageRoute | None = None

    def routes(self) -> tuple[ApiRoute, ...]:
        """All routes of the API."""
        function = Function.IMAGE_KIT if self.image_kit_function else Function.FRONT_DOOR if self.image_kit else None
        return api_routes(image_kit=function, text_to_image=self.text_to_image.path if self.text_to_image else None)

    def environment(self) -> dict[str, str]:
        """The front door's."""
        values = {
            "SYNC_IMAGE_KIT": self.image_kit,
            "SYNC_TEXT_TO_IMAGE": self.text_to_image.to_env() if self.text_to_image else None,
        }
        return {name: value for name, value in values.items() if value}

    @property
    def size(self) -> int:
        """Bytes of the front door's environment."""
        return _size(self.environment())


NO_SYNC = SyncPlan()


def sync_plan(config: Config) -> SyncPlan:
    """The plan of a config that was checked."""
    kit, text = config.sync.image_kit, config.sync.text_to_image
    function = config.sync.image_kit_function
    return SyncPlan(
        image_kit=kit.runtime if kit else None,
        image_kit_function=KitFunction(
            memory_mb=function.memory_mb,
            image=function.image,
            policy=config.task_policy,
            input_buckets=config.input_buckets,
        )
        if function
        else None,
        text_to_image=TextToImageRoute(
            path=text.path,
            runtime=text.runtime,
            endpoint=text.endpoint_name,
            policy=_policy(config.task_policy) if text.endpoint_name else TaskPolicy(),
        )
        if text
        else None,
    )


def _policy(policy: TaskPolicy) -> TaskPolicy:
    return TaskPolicy(**{name: getattr(policy, name) for name in POLICY_FIELDS if name in policy.model_fields_set})


def _size(environment: Mapping[str, str]) -> int:
    return sum(len(name) + len(value) for name, value in environment.items())
