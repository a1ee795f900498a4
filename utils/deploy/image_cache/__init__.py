"""Container images in an EBS snapshot: nodes that start from it need not pull them."""
