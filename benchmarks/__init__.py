"""Measurements: none of them passes or fails."""
