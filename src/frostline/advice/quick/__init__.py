"""An answer within minutes: backbones and depths looked at on validation, before any sweep."""
