"""botocore's descriptions of the services, read so that they take little memory.

botocore keeps what it reads for the life of the process, as ordered dicts, and one of the files lists the endpoints of
all services of AWS. Read by orjson, and with the endpoints of our services only, an agent is 8 MB smaller.
"""

import gzip
from pathlib import Path
from typing import Any

import orjson
from botocore.loaders import JSONFileLoader, Loader

OUR_SERVICES = frozenset({"dynamodb", "s3", "sns", "sqs", "sts"})
"""STS, since the SDK itself asks it for credentials where a pod has a web identity."""


class _Files(JSONFileLoader):
    def load_file(self, file_path: str) -> Any:
        """The content of the file, which is named without its extension; None when there is none."""
        plain, packed = Path(f"{file_path}.json"), Path(f"{file_path}.json.gz")
        if plain.is_file():
            read = orjson.loads(plain.read_bytes())
        elif packed.is_file():
            read = orjson.loads(gzip.decompress(packed.read_bytes()))
        else:
            return None
        return _with_our_services(read) if plain.name == "endpoints.json" else read


def _with_our_services(endpoints: dict[str, Any]) -> dict[str, Any]:
    partitions = [
        {
            **partition,
            "services": {name: partition["services"][name] for name in OUR_SERVICES & set(partition["services"])},
        }
        for partition in endpoints["partitions"]
    ]
    return {**endpoints, "partitions": partitions}


def lean_loader() -> Loader:
    """A loader for ``session.register_component("data_loader", …)``."""
    return Loader(file_loader=_Files())
