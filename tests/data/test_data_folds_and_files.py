import numpy as np
import pytest
import torch

from frostline.data.imbalance import class_weights, imbalance_ratio
from frostline.data.mixing import BatchMix
from frostline.data.split_file import load_splits, save_splits
from frostline.data.splits import fold_splits, split_digest, split_table
from frostline.errors import ConfigError, DataError


def grouped(plain_table, n=10):
    labels = [k for k in range(3) for _ in range(2 * n)]
    groups = [f"{k}-{j // 2}" for k in range(3) for j in range(2 * n)]
    return plain_table(labels, groups)


def test_every_image_is_tested_once(plain_table):
    table = grouped(plain_table)
    splits = [fold_splits(table, folds=5, fold=fold, seed=0) for fold in range(5)]
    assert sorted(np.concatenate([one.test for one in splits]).tolist()) == list(range(60))
    assert sorted(np.concatenate([one.val for one in splits]).tolist()) == list(range(60))
    for one in splits:
        assert [len(rows) for rows in one.named().values()] == [36, 12, 12]
        assert np.bincount(table.labels[one.test]).tolist() == [4, 4, 4]
    repeated = fold_splits(table, folds=5, fold=0, seed=1)
    assert repeated.test.tolist() != splits[0].test.tolist()


@pytest.mark.parametrize(("folds", "fold"), [(2, 0), (5, 5), (5, -1)])
def test_folds_that_do_not_exist(plain_table, folds, fold):
    with pytest.raises(DataError, match=rf"data.folds={folds} data.fold={fold}"):
        fold_splits(grouped(plain_table), folds=folds, fold=fold, seed=0)


def test_too_few_groups_for_the_folds(plain_table):
    with pytest.raises(DataError, match="class 'class0' has 6 images in 3 groups"):
        fold_splits(grouped(plain_table, n=3), folds=5, fold=0, seed=0)


def test_splits_are_read_back_from_their_file(plain_table, tmp_path):
    table = grouped(plain_table)
    splits = split_table(table, val_frac=0.2, test_frac=0.2, seed=0, train_fraction=0.5)
    save_splits(tmp_path / "splits.csv", table, splits)
    again = load_splits(str(tmp_path / "splits.csv"), table)
    assert split_digest(table, again) == split_digest(table, splits)
    first = (tmp_path / "splits.csv").read_text().splitlines()[:2]
    assert first[0] == "item,split,class,group"
    assert first[1].startswith("item0000")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("item00000,", "gone.png,", "names 1 images that are not in plain: 'gone.png'"),
        (",train,", ",dev,", "has the split 'dev'"),
        ("item,split", "image,side", "no columns item and split"),
    ],
)
def test_split_files_that_do_not_fit(plain_table, tmp_path, old, new, message):
    table = grouped(plain_table)
    file = tmp_path / "splits.csv"
    save_splits(file, table, split_table(table, val_frac=0.2, test_frac=0.2, seed=0))
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(DataError, match=message):
        load_splits(str(file), table)


def test_split_file_with_a_group_in_two_splits(plain_table, tmp_path):
    table = grouped(plain_table)
    file = tmp_path / "splits.csv"
    save_splits(file, table, split_table(table, val_frac=0.2, test_frac=0.2, seed=0))
    text = file.read_text()
    other = "val" if "item00000,train" in text else "train"
    lines = text.splitlines()
    lines[1] = f"item00000,{other},class0,0-0"
    file.write_text("\n".join(lines))
    with pytest.raises(DataError, match="1 groups are in more than one split, such as '0-0'"):
        load_splits(str(file), table)
    lines.append("item00000,test,class0,0-0")
    file.write_text("\n".join(lines))
    with pytest.raises(DataError, match="images in two splits: 'item00000'"):
        load_splits(str(file), table)


def test_missing_split_file(plain_table, tmp_path):
    with pytest.raises(DataError, match=r"data.split_file=\S*gone.csv: .*No such file"):
        load_splits(str(tmp_path / "gone.csv"), grouped(plain_table))


def test_class_weights_balance_without_changing_the_scale():
    labels = np.array([0] * 90 + [1] * 10)
    weights = class_weights(labels, 2, strength=1.0)
    assert weights == pytest.approx([100 / 180, 5.0])
    assert class_weights(labels, 2, strength=0.0) == pytest.approx([1, 1])
    half = class_weights(labels, 2, strength=0.5)
    assert half[1] / half[0] == pytest.approx(3)
    assert half[labels].mean() == pytest.approx(1)
    assert class_weights(labels, 3, strength=1.0)[2] == 0
    assert imbalance_ratio(np.array([90, 0, 10])) == 9


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_mixes_depend_on_seed_epoch_and_batch(name):
    images = torch.arange(4.0).view(4, 1, 1, 1).expand(4, 3, 8, 8).contiguous()
    labels = torch.arange(4)
    mix = BatchMix(name, alpha=1.0, n_classes=4, seed=0)
    torch.manual_seed(1)
    wanted_draw = torch.rand(1)
    torch.manual_seed(1)
    mixed, shares = mix(images, labels, epoch=2, batch_idx=3)
    assert torch.equal(torch.rand(1), wanted_draw)
    again = mix(images, labels, epoch=2, batch_idx=3)
    assert torch.equal(mixed, again[0]) and torch.equal(shares, again[1])
    assert not torch.equal(shares, mix(images, labels, epoch=2, batch_idx=4)[1])
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(4))
    # The share of each label is the share of its image in the mixture.
    mean = (shares * torch.arange(4.0)).sum(dim=1)
    torch.testing.assert_close(mixed.mean(dim=(1, 2, 3)), mean)


def test_no_mix_and_unknown_mix():
    images, labels = torch.zeros(2, 3, 4, 4), torch.tensor([0, 1])
    out = BatchMix("none", alpha=1.0, n_classes=2, seed=0)(images, labels, epoch=0, batch_idx=0)
    assert out[0] is images and out[1] is labels
    with pytest.raises(ConfigError, match="mix=blend"):
        BatchMix("blend", alpha=1.0, n_classes=2, seed=0)
