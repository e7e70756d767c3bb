"""Does ANY network of depth 2 and a given width robustly memorize a data set?"""
