"""The agent to compare with: one step after the other, from receive to delete, with the same libraries."""

import asyncio
import base64
import json
import os
from typing import Any

import aiohttp

from contract.links import find_links
from queue_agent.aws.clients import Clients, open_clients


async def main() -> None:
    """Work until killed; the environment is the agent's."""
    env = os.environ
    async with open_clients(env["AWS_DEFAULT_REGION"]) as clients, aiohttp.ClientSession() as session:
        while True:
            answer = await clients.sqs.receive_message(
                QueueUrl=env["SQS_QUEUE_URL"], MaxNumberOfMessages=1, WaitTimeSeconds=10, VisibilityTimeout=60
            )
            for message in answer.get("Messages", []):
                await serve(message["MessageId"], json.loads(message["Body"])["task"], clients, session)
                await clients.sqs.delete_message(QueueUrl=env["SQS_QUEUE_URL"], ReceiptHandle=message["ReceiptHandle"])


async def serve(message_id: str, task: dict[str, Any], clients: Clients, session: aiohttp.ClientSession) -> None:
    """One task, each step after the other."""
    env, content = os.environ, task["content"]
    path = "txt2img"
    for (key, index), link in list(find_links(content)):
        async with session.get(link) as answer:
            content[key][index] = base64.b64encode(await answer.read()).decode()
        path = "img2img"
    async with session.post(f"{env['API_BASE_URL']}/sdapi/v1/{path}", json=content) as answer:
        result = await answer.json()
    stem = f"{task['metadata']['prefix']}/{task['metadata']['id']}/{message_id}"
    for number, image in enumerate(result["images"]):
        await clients.s3.put_object(Bucket=env["S3_BUCKET"], Key=f"{stem}-{number}.png", Body=base64.b64decode(image))
    await clients.s3.put_object(Bucket=env["S3_BUCKET"], Key=f"{stem}.out", Body=json.dumps({"info": result["info"]}))
    await clients.sns.publish(
        TopicArn=env["SNS_TOPIC_ARN"], Message=json.dumps({"id": task["metadata"]["id"], "result": True})
    )


if __name__ == "__main__":
    asyncio.run(main())
