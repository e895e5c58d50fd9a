"""Do image data sets represent the world? (being built)"""
