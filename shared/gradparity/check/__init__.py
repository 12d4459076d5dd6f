"""Check any implementation: is it right? If not, where does it first go wrong, and why?"""
