"""The folders of a model bucket. S3 has none, so an empty object makes each of them exist in the mounted bucket."""

from collections.abc import Sequence

from utils.deploy.account import CLIENT, Account
from utils.deploy.console import say

FOLDERS = (
    "CLIP", "Codeformer", "ControlNet", "ESRGAN", "GFPGAN", "LDSR", "Lora", "RealESRGAN", "ScuNET", "Stable-diffusion",
    "SwinIR", "VAE", "VAE-approx", "embeddings", "hypernetworks",
)  # fmt: skip
"""The kinds of models, as WebUI looks for them."""

KEEP = ".keep"


def missing(account: Account, bucket: str) -> list[str]:
    """Folders in which there is no object."""
    s3 = account.session.client("s3", config=CLIENT)
    return [
        folder
        for folder in FOLDERS
        if not s3.list_objects_v2(Bucket=bucket, Prefix=f"{folder}/", MaxKeys=1).get("KeyCount")
    ]


def make(account: Account, bucket: str, folders: Sequence[str]) -> None:
    """Put an empty object into each."""
    s3 = account.session.client("s3", config=CLIENT)
    for folder in folders:
        s3.put_object(Bucket=bucket, Key=f"{folder}/{KEEP}", Body=b"")
    if folders:
        say(f"    made the folders {', '.join(folders)} in s3://{bucket}")
