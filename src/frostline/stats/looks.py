"""Claims that hold however often a sweep is looked at while seeds are added.

Who adds seeds until a page says "better" will find one that says so. So looks at growing results
are counted, and each may make false claims less often than the one before: look k spends
`alpha / (k (k + 1))`, which sums to alpha over any number of looks. The first look, which is the
only one of most sweeps, has half of it.

Source:
    The union bound over a series that sums to 1; alpha spending: Lan and DeMets, Biometrika 1983.
"""


def alpha_of_look(level: float, look: int) -> float:
    """What a look may spend on false claims.

    Args:
        level: Confidence of all looks together, such as 0.95.
        look: Its number, from 1.

    Raises:
        ValueError: If there is no such look.
    """
    if look < 1:
        raise ValueError(f"look {look}: looks are counted from 1")
    return (1 - level) / (look * (look + 1))
