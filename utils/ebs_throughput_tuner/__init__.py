"""A Lambda function that slows a GPU node's data volume down once the images are loaded from it."""
