"""What a hardness run says: growth, cactus and ratio curves, transfer, and one page to show."""
