"""What hassfest, HACS, the Marketplace and this house demand of the checkout.

Each module holds rules; a rule yields one sentence for each thing that it finds,
starting with the file that it is about.
"""
