"""Servers under load: clients, contenders, and what came out."""
