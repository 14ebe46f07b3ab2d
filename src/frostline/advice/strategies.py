"""What is known of each strategy: its reason and source, its objections, its neighbours."""

from typing import Any

import yaml

from frostline.config.location import CONF

# Each strategy with the one across the border of similarity, and the one across that of size.
NEIGHBOURS = {
    "large_similar": ("large_different", "small_similar"),
    "large_different": ("large_similar", "small_different"),
    "small_similar": ("small_different", "large_similar"),
    "small_different": ("small_similar", "large_different"),
}
# Studies that found otherwise.
OBJECTIONS: dict[str, tuple[str, ...]] = {
    "large_similar": (
        "CS231n's notes would train everything here: with many images overfitting is no danger.",
        "Brahimi et al. 2018 (44,000 leaves, 6 backbones): training everything won 6 of 6; a "
        "frozen base lost even to training from scratch in 5 of 6.",
    ),
    "large_different": (
        "Kumar et al. 2022 (arXiv:2202.10054): training the new classifier first, then everything, "
        "is better by 1 point in distribution and 10 points out of it than training everything at "
        "once.",
    ),
    "small_similar": (
        "Sutaji and Yildiz 2022: unfreezing the last block gains 8.85 points on average over a "
        "frozen base.",
        "Brahimi et al. 2018: a frozen base loses to training from scratch in 5 of 6 backbones, "
        "though with 44,000 leaves.",
    ),
    "small_different": (
        "CS231n's notes would rather train a linear classifier on earlier activations: the scores "
        "by depth show what that would give.",
        "Kumar et al. 2022 (arXiv:2202.10054): training features together with a new classifier "
        "distorts them, so the strategy trains the classifier first.",
    ),
}
GENERAL_OBJECTIONS = (
    "Lee et al. 2023 (arXiv:2210.11466): which stages are best trained depends on what differs: "
    "the first ones where images are corrupted, the last ones where classes are new.",
)


def objections_to(strategy: str) -> tuple[str, ...]:
    """Return the findings of studies that contradict a strategy."""
    return (*OBJECTIONS.get(strategy, ()), *GENERAL_OBJECTIONS)


def reason_and_source(strategy: str) -> tuple[str, str]:
    """Return why a strategy does what it does and where that comes from, from its config file."""
    text = (CONF / "strategy" / f"{strategy}.yaml").read_text(encoding="utf-8")
    content: dict[str, Any] = yaml.safe_load(text)["strategy"]
    return content["reason"], content["source"]
