"""The key that somebody means who types one that does not exist: `learning_rate` is `lr`."""

import difflib
from functools import cache

from frostline.config.own_part import OwnPart
from frostline.config.schema import Settings
from frostline.config.spelling import bare_of
from frostline.config.strict_model import members_of

# What other tools and papers call it, without dots, dashes and underscores.
_OTHER_NAMES = {
    "backbone": "model modelname arch architecture net network encoder basemodel timm cnn",
    "weights": "pretrained checkpoint ckpt init",
    "freeze": "frozen depth freezedepth freezelayers frozenlayers frozenstages freezeat unfreeze "
    "freezeuntil finetuneat trainable",
    "lora_rank": "rank lorar loradim adapterrank",
    "ema": "modelema emadecay modelemadecay averaging polyak swa",
    "epochs": "epoch nepochs numepochs maxepochs nepoch numtrainepochs iterations",
    "batch_size": "batch bs batchsize batchsizes trainbatchsize perdevicetrainbatchsize minibatch",
    "lr": "learningrate learnrate baselr maxlr lr0 eta initlr peaklr stepsize",
    "image_size": "size imgsize imgsz imagesize resolution inputsize resize px cropsize inputshape "
    "targetsize width height",
    "in_chans": "inchans channels nchannels numchannels inputchannels inchannels chans grayscale",
    "seed": "seeds randomseed randomstate rng manualseed",
    "order_seed": "dataseed shuffleseed augmentseed augseed samplerseed",
    "data.path": "path dataset datadir datapath dataroot root dir directory folder images traindir "
    "imagedir photos inputdir",
    "data.val_frac": "valfrac valsplit validationsplit validsplit valsize validation",
    "data.test_frac": "testfrac testsplit testsize",
    "data.fraction": "subset datafraction limittrainbatches",
    "data.folds": "kfold kfolds nfolds cv nsplits",
    "data.sampling": "sampler balanced balance weightedsampler",
    "augment": "aug augmentation augmentations augs transform transforms dataaugmentation "
    "autoaugment",
    "mix": "mixup cutmix",
    "head": "classifier fc",
    "head.dropout": "droprate drop",
    "head.hidden": "hiddensize hiddenunits units",
    "optimizer": "opt optim optimiser solver",
    "optimizer.weight_decay": "wd decay l2 weightdecay",
    "optimizer.layer_decay": "layerdecay llrd layerwiselrdecay",
    "lr_schedule": "scheduler lrscheduler sched lrsched lrschedulertype annealing",
    "lr_schedule.warmup_frac": "warmup warmupepochs warmupratio warmupsteps",
    "loss": "criterion lossfn lossfunction objective",
    "loss.class_weights": "classweight classweights",
    "loss.label_smoothing": "smoothing labelsmoothing",
    "callbacks.monitor": "metric monitor",
    "callbacks.patience_epochs": "patience earlystopping earlystop",
    "trainer.accelerator": "device gpu gpus cuda accelerator cpu mps",
    "trainer.devices": "numgpus ngpus ngpu worldsize",
    "trainer.workers": "numworkers nworkers dataloaderworkers dataloadernumworkers",
    "trainer.limit_batches": "fastdevrun limitvalbatches limittestbatches",
    "trainer.precision": "amp fp16 bf16 halfprecision mixedprecision dtype",
    "trainer.accumulate_grad_batches": "gradaccum accumulategradbatches gradientaccumulationsteps "
    "gradaccumsteps accumsteps",
    "tracking.uri": "mlflow mlflowuri trackinguri store",
    "tracking.experiment": "experimentname project projectname",
    "hydra/launcher": "launcher cluster",
    "hydra.run.dir": "out outdir output outputdir outputfolder savedir logdir",
    "dry_run": "dry plan",
    "rerun": "force overwrite again",
    "tune": "tuning hpo search",
}  # fmt: skip
_MEANT = {other: key for key, others in _OTHER_NAMES.items() for other in others.split()}
_NOT_TYPED = {"sweep", "plugins"}


@cache
def known_keys() -> tuple[str, ...]:
    """All keys, with dots, of all members of all groups."""
    keys: list[str] = []
    for name, field in Settings.model_fields.items():
        keys.append(name)
        for member in members_of(field.annotation):
            # What a user's own part holds is no key: `target` is typed as `_target_`, in its file.
            own = issubclass(member, OwnPart)
            keys += [f"{name}.{inner}" for inner in member.model_fields if not own]
    return tuple(dict.fromkeys(keys))


def likely_keys(typed: str, count: int = 3) -> list[str]:
    """The keys that a typed one may stand for, the likeliest first; empty if nothing is like it.

    A key of another spelling or under another name is returned alone; otherwise the most similar.
    """
    keys = [key for key in known_keys() if key.split(".")[0] not in _NOT_TYPED]
    last = bare_of(typed.rpartition(".")[2])
    spelled = [key for key in keys if bare_of(key) == bare_of(typed)]
    ending = [key for key in keys if bare_of(key.rpartition(".")[2]) == last]
    top = [key for key in ending if "." not in key]
    meant = _MEANT.get(bare_of(typed)) or _MEANT.get(last)
    if certain := spelled or top or ([meant] if meant else ending):
        return certain[:count]
    whole = {bare_of(key): key for key in reversed(keys)}
    close = difflib.get_close_matches(bare_of(typed), whole, n=count, cutoff=0.7)
    ends = {bare_of(key.rpartition(".")[2]): key for key in reversed(keys)}
    ends |= {other: key for other, key in _MEANT.items() if len(other) > 3}
    close_ends = difflib.get_close_matches(last, ends, n=count, cutoff=0.7)
    found = [whole[name] for name in close] + [ends[name] for name in close_ends]
    return list(dict.fromkeys(found))[:count]
