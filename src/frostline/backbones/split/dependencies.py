"""What each step of a recorded pass depends on: the image, the model's own tensors, or numbers."""

from typing import Any

from torch import fx, nn

from frostline.backbones.split.crossing import contains_tensors
from frostline.backbones.split.graph_calls import path_in_model
from frostline.backbones.split.recording import Recording

_STATELESS_FILES = ("torch.nn.modules.activation", "torch.nn.modules.pooling")
_STATELESS_MODULES = (nn.Identity, nn.Flatten)
_RANDOM_NAMES = ("dropout", "rand", "bernoulli", "drop")


class Dependencies:
    """The dependencies between the steps of a recording.

    A step is *data* if its result is computed from the image's values, a *fact* if it is a number
    or the like read off data (a shape, a device), and *free* otherwise: it can be computed again
    anywhere from the model's own tensors and from facts.

    Args:
        recording: The recorded pass.
        model: The model recorded.
        batch: Images in the recording.
    """

    def __init__(self, recording: Recording, model: nn.Module, batch: int) -> None:
        self.recording = recording
        self.model = model
        self.batch = batch
        self.nodes = list(recording.graph.nodes)
        self.index = {node: index for index, node in enumerate(self.nodes)}
        self.data: set[fx.Node] = set()
        self.facts: set[fx.Node] = set()
        self.from_state: set[fx.Node] = set()
        for node in self.nodes:
            inputs = node.all_input_nodes
            if node.op == "placeholder" or any(other in self.data for other in inputs):
                is_data = node.op == "output" or contains_tensors(self.value(node))
                (self.data if is_data else self.facts).add(node)
            elif not contains_tensors(self.value(node)) and any(o in self.facts for o in inputs):
                self.facts.add(node)
            if node.op == "get_attr" or any(
                other in self.from_state and other not in self.data for other in inputs
            ):
                self.from_state.add(node)

    def value(self, node: fx.Node) -> Any:
        """Return the concrete value of a step."""
        return self.recording.values.get(node.name)

    def needed_after(self, position: int) -> tuple[list[fx.Node], list[fx.Node], list[fx.Node]]:
        """Find what the steps from a position on need.

        Returns:
            Data that crosses the boundary, facts from before it, and the steps to run after it:
            free ones from before the position and all needed ones from then on.
        """
        needed: set[fx.Node] = set()
        pending = [self.nodes[-1]]
        while pending:
            node = pending.pop()
            if node in needed:
                continue
            needed.add(node)
            is_early = self.index[node] < position
            if not (is_early and (node in self.data or node in self.facts)):
                pending.extend(node.all_input_nodes)
        ordered = [node for node in self.nodes if node in needed]
        early = [node for node in ordered if self.index[node] < position]
        data = [node for node in early if node in self.data]
        facts = [node for node in early if node in self.facts]
        given = {*data, *facts}
        return data, facts, [node for node in ordered if node not in given]

    def can_move(self, node: fx.Node) -> bool:
        """Return whether a step may run on either side: no state, no randomness, no mode."""
        if node.op in ("placeholder", "output"):
            return False
        if node.op == "get_attr":
            return True
        if any(other in self.from_state for other in node.all_input_nodes):
            return False
        if node.op == "call_module":
            module = self.model.get_submodule(path_in_model(node.target))
            return all(_is_stateless(part) for part in module.modules())
        function = str(getattr(node.target, "__name__", node.target))
        return not any(name in function for name in _RANDOM_NAMES)


def _is_stateless(module: nn.Module) -> bool:
    if next(module.parameters(), None) is not None or next(module.buffers(), None) is not None:
        return False
    is_plain = type(module).__module__ in _STATELESS_FILES and not isinstance(module, nn.RReLU)
    return is_plain or isinstance(module, _STATELESS_MODULES)
