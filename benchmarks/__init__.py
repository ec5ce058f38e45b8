"""`make bench`: what a poll and a scrape cost, beside what they would cost otherwise, in one run on one machine."""
