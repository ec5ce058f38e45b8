"""What an instance costs per hour and what hardware it has: AWS's price list, files, and the families that show it."""
