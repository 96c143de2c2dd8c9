"""Parts of Hydra's configuration as what the rest of the project knows: plain dictionaries.

plain(config.resources)          # {"all": {"cpus": 1}}
"""

from typing import Any

from omegaconf import DictConfig, OmegaConf


def plain(config: Any) -> dict[str, Any]:
    """The part; nothing is an empty dictionary."""
    found: Any = OmegaConf.to_container(config, resolve=True) if isinstance(config, DictConfig) else config
    return dict(found or {})


def unset_resources() -> dict[str, Any]:
    """Places of `resources` (rft.infra.cluster.resources) in which nothing is said: Hydra takes words for keys that exist."""
    return {"all": None, "kinds": None, "models": None}
