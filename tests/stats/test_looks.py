import pytest

from frostline.stats.looks import alpha_of_look


def test_all_looks_together_spend_no_more_than_the_level_allows():
    spent = [alpha_of_look(0.95, look) for look in range(1, 1001)]
    assert spent[:3] == pytest.approx([0.025, 0.05 / 6, 0.05 / 12])
    assert sum(spent) == pytest.approx(0.05, rel=2e-3)
    assert sum(spent) < 0.05


def test_looks_are_counted_from_one():
    with pytest.raises(ValueError, match="counted from 1"):
        alpha_of_look(0.95, 0)
