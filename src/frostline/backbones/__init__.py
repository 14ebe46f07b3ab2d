"""Backbones: any timm classifier, divided into stages, frozen and cut in two at any depth."""
