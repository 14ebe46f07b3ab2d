"""Cutting a backbone in two: record its forward pass, divide it, verify that the parts are exact.

A frozen prefix can run apart from the trained suffix, and its outputs can be stored, only if
`suffix(prefix(x))` is the model, bit by bit. timm's models are free code, so nothing is assumed
about them; a cut is found in three steps, and every cut is verified on real numbers.

1. Record (`tracer`, `recording`). The model runs once on the meta device under torch.fx. Only the
   modules around a boundary are looked into; every other module is recorded as one call, so
   dropout, batch normalisation and the like behave as always. Each recorded value carries its
   concrete shape, so code that branches on shapes runs as usual.

2. Divide (`dependencies`, `divide`, `crossing`, `graph_calls`). A boundary is a position among the
   recorded steps. What the later steps need from the earlier ones crosses the boundary: tensors
   with one row (or a fixed number of rows) per image are passed on, several of them packed into one
   `(N, P)`; numbers such as shapes are written into the suffix as constants or as multiples of the
   batch, as a second recording with another batch shows; what depends on parameters alone
   is computed again in the suffix. Steps without state next to the boundary, such as a max-pool,
   join the side that makes the crossing tensors smallest. Both sides become a `Program`: a list of
   calls that a `ModelPart` runs with the model's own modules. `cut_finder` does this for eval mode
   and for train mode, where the suffix may differ; the prefix always runs in eval mode.

3. Verify (`verify`). Model and parts run on the same two random images and must agree bit by bit,
   with finite outputs that differ between the images. The same check finds parts that overwrite
   their input (they then copy it first) and the memory layout that the suffix expects of a stored
   output, and for packed tensors that rows can be reordered as images can.

Where any step fails there is no exact cut: `cut` returns an empty prefix, a suffix that is the
whole model with its first part frozen, `exact=False` and the reason. Training is the same; only
stored features are off. `stage_cuts` finds the cuts between all stages of a backbone together and
shares them with the other jobs of a sweep; docs/backbones.md lists 112 architectures.

Source: torch.fx, https://arxiv.org/abs/2112.08429
"""
