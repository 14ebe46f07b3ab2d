"""The parts of a job and of a sweep: which functions belong to which row of the table."""

TRAINING = "training and evaluation themselves"
JOB = {
    TRAINING: (
        "pytorch_lightning.loops.optimization.automatic:_AutomaticOptimization.run",
        "frostline.training.task:ClassificationTask.validation_step",
        "frostline.training.task:ClassificationTask.test_step",
    ),
    "store opened, runs looked up, run opened": (
        "frostline.sweeps.execute:open_job_store",
        "frostline.sweeps.execute:find_runs",
        "frostline.sweeps.execute:open_run",
        "frostline.sweeps.execute:read_outcome",
    ),
    "writes to MLflow": (
        "frostline.tracking.outbox:Outbox.put",
        "frostline.tracking.outbox:Outbox._sent_as_batch",
        "frostline.tracking.outbox:Outbox.deliver",
        "frostline.tracking.outbox:Outbox.flush",
    ),
    "what the run is: config, provenance, splits": (
        "frostline.sweeps.execute:describe",
        "frostline.training.recorder:RunRecorder.record_parts",
        "frostline.training.recorder:RunRecorder.record_result",
    ),
    "data loaded and split": (
        "frostline.training.assembly:load_table",
        "frostline.training.assembly:split_of",
        "frostline.training.assembly:check_as_planned",
        "frostline.data.image_datamodule:open_pixels",
    ),
    "backbone created": (
        "frostline.backbones.build:create_timm",
        "frostline.backbones.pristine:_copy",
    ),
    "stages": (
        "frostline.backbones.build:timeline_of",
        "frostline.backbones.build:divide_into_stages",
        "frostline.backbones.backbone:Backbone.depth",
    ),
    "weights read": (
        "frostline.backbones.build:load_weights",
        "frostline.backbones.pristine:find_weights",
    ),
    "digests of weights": (
        "frostline.backbones.weights:digest_of",
        "frostline.features.prefix_outputs:digest_of",
        "frostline.features.prefix_job:digest_of",
        "frostline.training.run:digest_of",
        "frostline.training.fit:digest_of",
        "frostline.backbones.backbone:digest_of",
        "frostline.training.callbacks:digest_of",
    ),
    "cut and its proof": ("frostline.training.assembly:cut", "frostline.training.parts:cut"),
    "head, task, modes, stored features": (
        "frostline.training.assembly:head_of",
        "frostline.training.assembly:Assembly.task",
        "frostline.training.phase:choose_modes",
        "frostline.training.phase:open_inputs",
    ),
    "checkpoints": (
        "frostline.training.checkpoint:save_checkpoint",
        "frostline.training.run:load_checkpoint",
        "pytorch_lightning.callbacks:ModelCheckpoint.on_train_epoch_end",
        "pytorch_lightning.callbacks:ModelCheckpoint.on_validation_end",
        "frostline.training.kept_state:KeepLast.on_train_epoch_end",
        "frostline.training.kept_state:KeepBest.on_train_epoch_end",
        "frostline.training.kept_state:KeepBest.load_into",
        "frostline.training.kept_state:KeepBest.write",
    ),
    "Lightning's Trainer": (
        "frostline.training.run:build_trainer",
        "frostline.training.fit:build_trainer",
        "pytorch_lightning:Trainer.fit",
        "pytorch_lightning:Trainer.validate",
        "pytorch_lightning:Trainer.test",
        "frostline.training.testing:_tested",
    ),
    "predictions written": ("frostline.training.split_evaluation:score_and_write",),
    "evidence": ("frostline.inference.explain.evidence:write_run_evidence",),
}
SWEEP = {
    "command composed": (
        "frostline.sweeps.sweeper:PlannedSweeper._compose",
        "frostline.sweeps.sweeper:PlannedSweeper._expand",
    ),
    "plan: backbones, weights and data checked": ("frostline.sweeps.session:check_all",),
    "store opened and looked up": (
        "frostline.sweeps.session:open_to_plan",
        "frostline.sweeps.session:standing_of",
        "frostline.sweeps.session:claim_id",
    ),
    "the sweep's own run": (
        "frostline.sweeps.sweep_run:open_sweep_run",
        "frostline.sweeps.sweep_run:record_outcomes",
        "frostline.tracking.outbox:Outbox.put",
    ),
    "processes started and ended": (
        "frostline.sweeps.workers:_begin",
        "frostline.sweeps.workers:Worker.end",
    ),
    "the jobs": ("frostline.sweeps.launcher:_run_one", "frostline.sweeps.launcher:_run_group"),
    "end: outcomes collected, table": (
        "frostline.sweeps.session:end_failed_runs",
        "frostline.sweeps.session:collect_outcomes",
        "frostline.sweeps.summary:show",
    ),
    "report": ("frostline.sweeps.session:show_report",),
}
