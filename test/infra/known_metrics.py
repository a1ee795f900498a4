"""What AWS itself sends to CloudWatch, as far as we look at it: names and dimensions, and where AWS documents them."""

from collections.abc import Mapping

SQS = "Amazon SQS Developer Guide, Available CloudWatch metrics for Amazon SQS"
SNS = "Amazon SNS Developer Guide, Monitoring Amazon SNS topics using CloudWatch"
API_GATEWAY = "Amazon API Gateway Developer Guide, Amazon API Gateway dimensions and metrics (REST APIs)"
LAMBDA = "AWS Lambda Developer Guide, Types of metrics for Lambda functions"
EVENTS = "Amazon EventBridge User Guide, Monitoring Amazon EventBridge: only RuleName is the default event bus"
INSIGHTS = "Amazon CloudWatch User Guide, Enhanced Container Insights (Classic) metric reference"
GPU = "Amazon CloudWatch User Guide, Container Insights with enhanced observability, NVIDIA GPU metrics"

KNOWN: Mapping[tuple[str, str, frozenset[str]], str] = {
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible", frozenset({"QueueName"})): SQS,
    ("AWS/SQS", "ApproximateNumberOfMessagesNotVisible", frozenset({"QueueName"})): SQS,
    ("AWS/SQS", "ApproximateAgeOfOldestMessage", frozenset({"QueueName"})): SQS,
    ("AWS/SNS", "NumberOfMessagesPublished", frozenset({"TopicName"})): SNS,
    ("AWS/ApiGateway", "Count", frozenset({"ApiName", "Stage"})): API_GATEWAY,
    ("AWS/ApiGateway", "4XXError", frozenset({"ApiName", "Stage"})): API_GATEWAY,
    ("AWS/ApiGateway", "5XXError", frozenset({"ApiName", "Stage"})): API_GATEWAY,
    ("AWS/Lambda", "Throttles", frozenset({"FunctionName"})): LAMBDA,
    ("AWS/Lambda", "Errors", frozenset({"FunctionName"})): LAMBDA,
    ("AWS/Events", "Invocations", frozenset({"RuleName"})): EVENTS,
    ("ContainerInsights", "cluster_node_count", frozenset({"ClusterName"})): INSIGHTS,
    ("ContainerInsights", "node_gpu_utilization", frozenset({"ClusterName"})): GPU,
}
"""Namespace, name and dimensions; and the page."""
