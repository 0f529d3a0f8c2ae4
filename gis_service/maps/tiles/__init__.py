"""Vector tiles: ``tiles`` cuts and keeps them, ``generalise`` simplifies shared edges."""
