"""What to deploy: config.yaml, the topology that follows from it, and the CDK app that builds it on AWS."""
