"""The process that forks the workers imports this, so that they share one vocabulary instead of loading one each."""

from __future__ import annotations

from ..money import tokens

tokens.load(tokens.STAND_IN)
