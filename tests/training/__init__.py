"""Tests of axiomrl.training."""
