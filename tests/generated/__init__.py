"""Small towns drawn at random, taken the whole way: files, figures, map, report."""
