"""Is somebody's implementation right? Where does it go wrong, and why?"""
