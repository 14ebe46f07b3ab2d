"""Every code block of the documents, known by its beginning, and what the test does with it.

A block that is not here makes `test_every_block_is_listed` fail. Prefer `Run`; `Left` is for what
cannot be done on a small machine without a network, and says which test stands for it.
"""

from tests.documents.blocks import ROOT
from tests.documents.treatment import (
    Example,
    File,
    Left,
    Printed,
    Run,
    Table,
    Treatment,
    Tree,
    Words,
)

# One epoch of a tiny network; on few images where the data are drawn.
NET = "backbone=test_resnet weights=random image_size=32 epochs=1 lr=1e-3 report=false"
DRAWN = "data.n_images=60 data.n_species=1"
# Only the plan, with the network, depths and recipe of the page: weights come from a network.
PLAN = "dry_run=true weights=random"
LISTED: dict[str, dict[str, Treatment]] = {
    "README.md": {
        "python -m src.train -m backbone=resnet50,vgg16": Run(f"{PLAN} {DRAWN}"),
        "make sweep": Run(
            f"{NET} {DRAWN}",
            swap={"make test": "# make test"},  # which runs this test
        ),
        "pip install '.[weights,export]'": Left(
            "tests/integration/test_wheel.py builds and installs the wheel"
        ),
        "python -m src.train -m data=folder": Run(PLAN),
        "python -m src.advise photos --quick": Left(
            "looks for five minutes; tests/advice/test_quick.py gives the command"
        ),
        "python -m src.advise data.path=photos": Run(),
        "python -m src.report": Run(),
    },
    "CONTRIBUTING.md": {
        "make setup": Left("sets up the environment in which tests run, and runs them and others"),
    },
    "experiments/README.md": {
        "python -m src.train -m +experiments=NAME": Run(
            PLAN,
            swap={
                "NAME": "vgg16_features",
                "DIR": "photos",
                # It writes the study's page anew: tests/experiments/test_study_tables.py.
                "python -m src.study": "# python -m src.study",
            },
        ),
        "hydra:": File(
            "conf/experiments/mine.yaml",
            f"python -m src.train -m +experiments=mine {PLAN} {DRAWN}",
            swap={"hydra:": "# @package _global_\nhydra:"},
        ),
    },
    "docs/data.md": {
        "python -m src.data PATH": Run(NET),
        "ROOT/rust/a.jpg": Tree(("rust", "healthy")),
        "'data.splits={fold1": Words("data=folder data.path=folds"),
        "'data.label_pattern": Words("data=folder data.path=pets"),
        "image_id,label,fold,plant": Table(),
        "data.group_by=plant": Words("data=csv data.path=plants.csv"),
    },
    "docs/depths.md": {
        "python -m src.train -m freeze=0,2,all": Run(f"{NET} {DRAWN}"),
    },
    "docs/evaluate.md": {
        "python -m src.evaluate RUN   ": Run(),
        "python -m src.evaluate RUN --tta": Run(),
        "tf_efficientnet_lite0-freeze4-seed0-augment=none": Left(
            "output of a sweep of minutes; tests/inference/test_tta.py has its lines and values"
        ),
        "python -m src.evaluate best:SWEEP --ensemble": Left(
            "needs several runs of one sweep; tests/integration/test_together.py gives both"
        ),
        "ensemble of sweep": Left(
            "output of a sweep of minutes; tests/integration/test_together.py has its values"
        ),
        "tf_efficientnet_lite0-freeze4-seed0 on its own": Printed("python -m src.evaluate RUN"),
        "tf_efficientnet_lite0-freeze4-seed0 on leaves": Printed(
            "python -m src.evaluate RUN --data background=field draw_seed=1 n_images=200"
        ),
        "python -m src.predict RUN": Run(),
        "python -m src.export RUN": Run(),
    },
    "docs/labels.md": {
        "python -m src.data PATH": Run(
            # Nobody decides in between: tests/data/test_corrections.py.
            swap={"python -m src.train": "# python -m src.train"},
        ),
        "python -m benchmarks.wrong_labels": Left(
            "draws and reads thousands of images; tests/advice/test_wrong_labels.py has its parts"
        ),
        "python -m benchmarks.label_verdict": Left(
            "draws and reads thousands of images; tests/advice/test_label_verdict.py has its parts"
        ),
    },
    "docs/trust.md": {
        "python -m src.predict RUN": Run(swap={"0.9": "0.5"}),
        "python -m src.train -m data.n_images=1200": Run(
            NET,
            swap={
                "data.n_images=1200 data.n_species=2": DRAWN,
                " image_size=96": "",
                "RUN RUN --figure": "RUN --resplits 2 --figure",
                " --write": "",
            },
        ),
    },
    "docs/install.md": {
        "pip install": Left("tests/integration/test_wheel.py builds and installs the wheel"),
    },
    "docs/more.md": {
        "python -m src.advise": Run(),
        "python -m benchmarks.growth": Left(
            "draws and reads thousands of images; tests/advice/test_growth.py has its parts"
        ),
    },
    "docs/corpus.md": {
        "python -m experiments.tools.corpus FOLDER": Left(
            "reads the stores of studies; tests/experiments/test_corpus.py gives the command"
        ),
        "python -m experiments.tools.corpus_prior": Left(
            "writes this page; tests/experiments/test_corpus_prior.py has its parts"
        ),
    },
    "docs/quick.md": {
        "python -m src.advise photos --quick": Left(
            "looks for five minutes; tests/advice/test_quick.py gives the command"
        ),
        "python -m benchmarks.quick --folder": Left(
            "trains on six data sets; tests/advice/test_quick.py has its parts"
        ),
        "python -m benchmarks.quick_pixels": Left(
            "trains on six data sets; tests/advice/test_quick_pixels.py has its parts"
        ),
    },
    "docs/mlflow.md": {
        "make ui": Left("serves until Ctrl-C: tests/tracking/test_tracking_ui.py starts it"),
    },
    "docs/plugins.md": {
        "python -m src.train -m --config-dir": Run(
            f"{DRAWN} report=false",
            swap={"=examples/": f"={ROOT}/examples/", "epochs=2": "epochs=1"},
        ),
        "# augment/sensor_noise.yaml": Example("examples/augmentation/augment/sensor_noise.yaml"),
        "# callbacks/watched.yaml": File(
            "conf/callbacks/watched.yaml",
            f"python -m src.train callbacks=watched {NET} {DRAWN}",
            swap={
                # A package that is not installed here, as the page says.
                "  - _target_: pytorch_lightning.loggers.WandbLogger   # pip install wandb\n"
                "    project: leaves": "",
            },
        ),
    },
    "docs/python.md": {
        "import frostline": File(
            "notebook.py",
            "",
            swap={
                '"tf_efficientnet_lite0", "resnet50"], freeze=[0, 2, "all"]': (
                    '"test_resnet"], freeze=[0, "all"], weights="random", image_size=32, '
                    "epochs=1, lr=1e-3"
                ),
            },
        ),
    },
    "docs/report.md": {
        "python -m src.report": Run(swap={"ID ID ...": "RUN OTHER"}),
        "python -m benchmarks.simulate --sweeps": Run(swap={"1000": "2"}),
        "python -m benchmarks.simulate_choice": Run(swap={"300 --write": "2"}),
        "python -m benchmarks.simulate_folds": Run(swap={"100 --write": "1"}),
        "python -m benchmarks.simulate_page": Run(swap={"100 --write": "2"}),
        "python -m benchmarks.simulate_rates": Run(swap={"400": "2"}),
    },
    "docs/gpu.md": {
        "python -m benchmarks.gpu --device cpu --tiny": Left(
            "takes minutes; the slow test of tests/test_gpu_benchmark.py gives the same command"
        ),
        "grep -E": Left(
            "needs a network, and a machine without the packages that are carried along"
        ),
    },
    "docs/reuse.md": {
        "python -m src.train -m freeze=2,4,all": Run(f"{NET} {DRAWN}"),
    },
    "docs/scaling.md": {
        "apt-get install postgresql": Left(
            "needs a database server and the rights to set one up: tests/faults/test_server.py "
            "starts both servers and runs the sweep"
        ),
    },
    "docs/schedules.md": {
        "python -m src.train freeze=2": Run(f"{PLAN} {DRAWN}"),
        "python -m src.train freeze=4": Run(f"{PLAN} {DRAWN}"),
    },
    "docs/strategies.md": {
        "python -m src.advise": Run("dry_run=true"),
    },
    "docs/search.md": {
        "python -m src.train -m backbone=resnet50,vgg16": Run(f"{PLAN} {DRAWN}"),
    },
    "docs/tour.md": {
        "python -m src.data": Run(),
        "photographs: 186 images": Printed("python -m src.data photographs"),
        "python -m src.advise": Run(),
        "Measured with": Printed("python -m src.advise data.path=photographs"),
        "python -m src.train -m +experiments": Run(PLAN),
        "24 runs in": Left(
            "24 runs take 26 minutes, and a shorter sweep prints its rows in another order: the "
            "form of the table is tested in tests/sweeps/test_sweep_summary.py"
        ),
        "python -m src.evaluate best:ID": Run(),
    },
    "docs/tuning.md": {
        "python -m src.train -m freeze=0,2,4,all": Run(f"{PLAN} {DRAWN}"),
    },
    "docs/weights.md": {
        "python -m src.train backbone=resnet50 weights=resnet34.pth": Run(f"dry_run=true {DRAWN}"),
    },
}
