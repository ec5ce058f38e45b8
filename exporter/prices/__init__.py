"""Read the hourly price and the hardware of instance types from AWS's price list and from files, and export them."""
