"""Naming a mistake: computing what each known mistake would give."""
