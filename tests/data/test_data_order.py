import numpy as np

from frostline.data.order import EpochSampler, batch_bounds, epoch_order, epoch_views

ROWS = np.arange(100, 165)


def sampler(training=True, **changes):
    options = {"batch_size": 16, "seed": 0, "n_views": 2, "training": training} | changes
    return EpochSampler(ROWS, **options)


def drawn(one, epoch):
    one.set_epoch(epoch)
    return [(batch.rows.tolist(), batch.views.tolist()) for batch in one]


def test_order_is_a_function_of_seed_and_epoch():
    assert drawn(sampler(), 3) == drawn(sampler(), 3)
    assert drawn(sampler(), 3) != drawn(sampler(), 4)
    assert drawn(sampler(), 3) != drawn(sampler(seed=1), 3)


def test_every_sample_once_and_all_views_drawn():
    batches = drawn(sampler(n_views=8), 0)
    rows = [row for batch, _ in batches for row in batch]
    assert sorted(rows) == ROWS.tolist()
    assert {view for _, views in batches for view in views} == set(range(8))


def test_evaluation_uses_the_table_order_and_view_0():
    batches = drawn(sampler(training=False), 5)
    assert [row for batch, _ in batches for row in batch] == ROWS.tolist()
    assert [len(batch) for batch, _ in batches] == [16, 16, 16, 16, 1]
    assert not any(view for _, views in batches for view in views)


def test_a_last_batch_of_one_is_merged_with_the_one_before():
    assert batch_bounds(65, 16, training=True)[-1] == (48, 65)
    assert batch_bounds(66, 16, training=True)[-1] == (64, 66)
    assert batch_bounds(65, 16, training=False)[-1] == (64, 65)
    assert batch_bounds(1, 16, training=True) == [(0, 1)]
    assert len(sampler()) == len(drawn(sampler(), 0)) == 4


def test_balanced_weights_draw_rare_samples_more_often():
    weights = np.array([1.0] * 900 + [9.0] * 100)
    order = epoch_order(1000, seed=0, epoch=0, weights=weights)
    assert 400 < (order >= 900).sum() < 600


def test_views_of_one_view_are_zero():
    assert not epoch_views(50, 1, seed=0, epoch=0).any()
