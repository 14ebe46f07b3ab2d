"""What speaks against each strategy: studies that found otherwise."""

OBJECTIONS: dict[str, tuple[str, ...]] = {
    "large_similar": (
        "CS231n's notes would train everything here: with many images overfitting is no danger.",
        "Brahimi et al. 2018 (44,000 leaves, 6 backbones): training everything won 6 of 6; a "
        "frozen base lost even to training from scratch in 5 of 6.",
    ),
    "large_different": (
        "Kumar et al. 2022 (arXiv:2202.10054): the new classifier first, then everything, is 1 "
        "point better in distribution and 10 out of it than training everything at once.",
    ),
    "small_similar": (
        "Sutaji and Yildiz 2022: unfreezing the last block gains 8.85 points on average over a "
        "frozen base.",
        "Brahimi et al. 2018: a frozen base loses to training from scratch in 5 of 6 backbones, "
        "though with 44,000 leaves.",
    ),
    "small_different": (
        "CS231n's notes would rather train a linear classifier on earlier activations: the table "
        "of scores by depth shows what that would give.",
        "Kumar et al. 2022 (arXiv:2202.10054): training features with a new classifier at once "
        "spoils them, so the strategy trains the classifier first.",
    ),
}
ALWAYS = (
    "Lee et al. 2023 (arXiv:2210.11466): which stages are best trained depends on what differs: "
    "the first ones where images are corrupted, the last ones where classes are new.",
)


def objections_to(strategy: str) -> tuple[str, ...]:
    """What studies say against a strategy."""
    return (*OBJECTIONS.get(strategy, ()), *ALWAYS)
