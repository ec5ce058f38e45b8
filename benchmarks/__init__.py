"""Implement `make bench`: measure polls and scrapes and compare them with alternatives, in one run on one machine."""
