"""Scraping of shop listings: a recipe of a few lines, one polite client, a manifest of checked images."""
