"""The runs and the prefixes whose figures are recorded: small, and different in what they use."""

# What all runs have in common: drawn leaves, random weights, one thread of the CPU. The best epoch
# is chosen by the loss, since an accuracy on nine images jumps when a CPU rounds differently.
COMMON = (
    "data.n_images=60", "data.size_px=80", "data.n_species=1", "data.photos_per_leaf=1",
    "weights=random", "image_size=64", "batch_size=16", "epochs=2", "lr=3e-3", "trainer=cpu",
    "trainer.threads=1", "evidence=off", "report=false", "callbacks.monitor=val/loss",
    "callbacks.mode=min",
)  # fmt: skip

# Name to overrides. Together they use each kind of backbone, depth, schedule, augmentation, loss,
# head, optimiser and course of the learning rate at least once.
RUNS: dict[str, tuple[str, ...]] = {
    "resnet_nothing_frozen": (
        "backbone=test_resnet", "freeze=0", "lr_schedule.warmup_frac=0.5",
    ),
    "resnet_without_reuse": (
        "backbone=test_resnet", "freeze=2", "augment=crop", "mix=mixup", "optimizer=sgd",
        "lr_schedule=constant", "loss.label_smoothing=0.1",
    ),
    "resnet_stored_features": (
        "backbone=test_resnet", "freeze=3", "augment=dihedral", "seed=1",
    ),
    "resnet_head_one_of_a_group": ("backbone=test_resnet", "freeze=all", "lr=1e-2"),
    "resnet_head_other_of_a_group": ("backbone=test_resnet", "freeze=all", "lr=3e-2"),
    "convnext_gradual": (
        "backbone=test_convnext", "freeze=3", "schedule=gradual", "epochs=3",
    ),
    "efficientnet_head_first": (
        "backbone=test_efficientnet", "freeze=1", "frozen_bn=train", "schedule=head_first",
        "schedule.head_epochs=1", "schedule.thawed_bn=train", "augment=color",
        "optimizer.layer_decay=0.7", "lr=3e-2",
    ),
    "efficientnet_cutmix": (
        "backbone=test_efficientnet", "freeze=0", "augment=randaugment", "mix=cutmix",
        "optimizer=adam", "lr_schedule=step", "lr_schedule.every_epochs=1",
    ),
    "vit_mlp_head": (
        "backbone=test_vit", "freeze=2", "augment=trivial", "head=mlp", "head.hidden=16",
        "loss=focal", "loss.class_weights=0.5", "lr_schedule=plateau",
    ),
    "book_cnn": ("backbone=book_cnn", "freeze=0", "augment=none", "head.dropout=0.3"),
}  # fmt: skip

# Backbone and depth of the prefixes whose outputs are recorded.
PREFIXES = (("test_resnet", 2), ("test_convnext", 3), ("test_efficientnet", 4), ("test_vit", 2))

# Backbones whose measures of drawn leaves are recorded.
MEASURED = ("test_resnet", "test_vit")
