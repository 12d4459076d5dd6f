"""Planted faults: known mistakes written into a correct implementation; is each caught, and named rightly?"""
