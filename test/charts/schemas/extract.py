"""Make the closed JSON schemas beside this file from the published types of KEDA and Karpenter.

The packages carry one compiled validator a type. Its code is regular: each keyword of the schema is one statement.
Run ``python test/charts/schemas/extract.py`` with npm on the PATH; the tests themselves read only the JSON files.
"""

import json
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent

PACKAGES = {
    "@kubernetes-models/keda": "2.0.0",
    "@kubernetes-models/karpenter": "2.0.0",
    "@kubernetes-models/apimachinery": "3.0.2",
    "kubernetes-models": "5.1.0",
}
"""All under the MIT licence, generated from the Go types of the projects."""

KINDS = {
    "ScaledObject": ("@kubernetes-models/keda", "ComGithubKedacoreKedaV2ApisKedaV1alpha1ScaledObject"),
    "TriggerAuthentication": (
        "@kubernetes-models/keda",
        "ComGithubKedacoreKedaV2ApisKedaV1alpha1TriggerAuthentication",
    ),
    "NodePool": ("@kubernetes-models/karpenter", "IoK8sSigsKarpenterPkgApisV1NodePool"),
    "EC2NodeClass": ("@kubernetes-models/karpenter", "ComGithubAwsKarpenterProviderAwsPkgApisV1EC2NodeClass"),
}

UNIONS: dict[str, dict[str, Any]] = {
    "IoK8sApimachineryPkgApiResourceQuantity": {
        "type": ["string", "number"],
        "pattern": r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?$",
    },
    "IoK8sApimachineryPkgUtilIntstrIntOrString": {"type": ["string", "integer"]},
}
"""The only types that are a choice of two; their validators are not read."""

LIMITS = {"maxItems", "minItems", "maxLength", "minLength", "maxProperties", "maximum", "minimum"}
ALONE = {"type", "pattern", "format", "required", "enum"} | LIMITS
NAME = r'(?:\.(\w+)|\["([^"]+)"\])'


class Package:
    """The unpacked packages, and how one validator's file becomes a schema."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.definitions: dict[str, dict[str, Any]] = {}

    def define(self, package: str, name: str) -> dict[str, Any]:
        """The reference to a type, which is defined on its first use."""
        if name not in self.definitions:
            self.definitions[name] = {}
            self.definitions[name] = UNIONS.get(name) or self._read(package, name)
        return {"$ref": f"#/$defs/{name}"}

    def _read(self, package: str, name: str) -> dict[str, Any]:
        source = (self._root / package / "_schemas" / f"{name}.js").read_text()
        unknown = set(re.findall(r'keyword:"(\w+)"', source)) - ALONE
        if unknown:
            raise SystemExit(f"{package} {name}: the keywords {sorted(unknown)} are not understood")
        names_and_bodies = re.split(r"function (\w+)\(data,", source)[1:]
        bodies = dict(zip(names_and_bodies[::2], names_and_bodies[1::2], strict=True))
        imports = {
            alias: (package if path.startswith("./") else path.split("/_schemas/")[0], Path(path).stem)
            for alias, path in re.findall(r'import\{validate as (\w+)\}from"([^"]*_schemas/[^"]*|\./[^"]*)"', source)
        }
        enums = dict(re.findall(r"let (\w+_enum)=(\[.*?\]);", source))
        entry = re.search(r"export const validate=(\w+);", source)
        assert entry, name

        def schema(function: str) -> dict[str, Any]:
            if function in imports:
                return self.define(*imports[function])
            return _schema(bodies[function], enums, schema)

        return schema(entry[1])


def _schema(body: str, enums: dict[str, str], schema: Any) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for keyword, parameters in re.findall(r'keyword:"(\w+)",params:\{(.*?)\}\};', body):
        made |= _keyword(keyword, parameters, enums)
    properties = {
        plain or quoted: schema(function)
        for plain, quoted, function in re.findall(rf"void 0!==data{NAME}&&\((\w+)\(data", body)
        if (plain or quoted) != "status"
    }
    required = sorted(re.findall(r'params:\{missingProperty:"([^"]+)"\}', body))
    items = re.search(r"(\w+)\(data\[i0\]", body)
    values = re.search(r"for\(let key0 in data\)(\w+)\(data\[key0\]", body)
    whole = re.search(r"(\w+)\(data,\{instancePath,parentData", body)
    if whole:
        made |= schema(whole[1])
    if items:
        made["items"] = schema(items[1])
    if required:
        made["required"] = required
    if values:
        made["additionalProperties"] = schema(values[1])
    elif made.get("type") == "object":
        made["properties"] = properties
        made["additionalProperties"] = False
    return made


def _keyword(keyword: str, parameters: str, enums: dict[str, str]) -> dict[str, Any]:
    if keyword in LIMITS:
        limit = re.search(r"limit:(-?[\d.e]+)", parameters)
        assert limit, parameters
        return {keyword: json.loads(limit[1])}
    if keyword == "enum":
        return {"enum": json.loads(enums[parameters.removeprefix("allowedValues:")])}
    if keyword in {"type", "pattern"}:
        return {keyword: json.loads(parameters.partition(":")[2].replace("\\x", "\\u00"))}
    return {}


def _unpacked(folder: Path) -> Iterator[Path]:
    for package, version in PACKAGES.items():
        packed = subprocess.run(
            ["npm", "pack", "--silent", f"{package}@{version}"], cwd=folder, check=True, capture_output=True, text=True
        )
        target = folder / package
        with tarfile.open(folder / packed.stdout.split()[-1]) as archive:
            archive.extractall(folder / "raw" / package, filter="data")
        target.parent.mkdir(parents=True, exist_ok=True)
        yield (folder / "raw" / package / "package").rename(target)


def main() -> None:
    """Write one schema a kind."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        list(_unpacked(folder))
        for kind, (package, name) in KINDS.items():
            types = Package(folder)
            types.define(package, name)
            top = types.definitions.pop(name)
            schema = {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "$comment": f"From {package} {PACKAGES[package]} (MIT) by extract.py, closed to unknown fields.",
                **top,
                "$defs": dict(sorted(types.definitions.items())),
            }
            (HERE / f"{kind}.json").write_text(json.dumps(schema, indent=1) + "\n")


if __name__ == "__main__":
    main()
