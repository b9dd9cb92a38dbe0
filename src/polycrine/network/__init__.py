"""Declarations become equations and machine code."""
