"""Backbones: any timm classifier, divided into stages, cut in two at any of them."""
