"""Reads each operation of AWS once in each target, and reports what is allowed and what is not as assumed."""
