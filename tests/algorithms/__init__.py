"""Tests of axiomrl.algorithms."""
