"""What makes the guide a guide: the site, the OpenAPI documents, and the tables that are made from the code."""
