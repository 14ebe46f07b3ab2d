"""The architectures of the broad run: the smaller ones of each of timm's families."""

ARCHITECTURES = ("resnet18",)
