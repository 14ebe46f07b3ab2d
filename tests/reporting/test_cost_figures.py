from frostline.reporting.cost_figures import pareto


def test_pareto_front():
    assert pareto([1, 2, 2, 3, 4], [0.7, 0.6, 0.9, 0.9, 0.95]) == [0, 2, 4]
