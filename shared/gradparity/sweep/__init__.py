"""One experiment from many initial seeds, in every setting of a grid: how often does it succeed, and how soon?"""
