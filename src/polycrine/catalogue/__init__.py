"""Cited facts."""
