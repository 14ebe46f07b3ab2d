"""What a machine is called in file names: its processor or card, never its host name."""

import platform
from pathlib import Path


def machine_name(device: str) -> str:
    """The processor's or card's name in letters and digits."""
    if device == "cuda":
        import torch

        text = torch.cuda.get_device_name()
    else:
        from frostline.cores import usable_cores

        text = f"{_processor()} {usable_cores()} cores"
    return "-".join("".join(c if c.isalnum() else " " for c in text).lower().split())


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        if names:
            return names[0].partition(":")[2].strip()
    return platform.processor() or platform.machine()
